"""Name, uid and version of any object, also of one whose other fields do not decode."""

import msgspec

from headgate.api.json_outline import outline
from headgate.api.meta import Key


class Identity(msgspec.Struct, frozen=True, rename="camel"):
    """The metadata that tells one version of one object from others; empty where it cannot be read."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return Key(self.namespace, self.name)


class _Object(msgspec.Struct):
    metadata: Identity = Identity()


_decoder = msgspec.json.Decoder(_Object)


def read(body: bytes | msgspec.Raw) -> Identity:
    """The identity of a JSON object. An object that has none, or is not JSON, has the empty one; raises nothing."""
    try:
        return _decoder.decode(body).metadata
    except RecursionError:
        return _read_outline(bytes(body))
    except msgspec.DecodeError:
        return Identity()


def _read_outline(body: bytes) -> Identity:
    try:
        return _decoder.decode(outline(body, 2).text).metadata
    except msgspec.DecodeError:
        return Identity()
