"""Which definitions an API begins with: Headgate's own, those of a release of the Gateway API, official files, or none.

They stay the API's own as long as nobody edits them: the next start may replace them, and takes away those that are no
longer asked for and have no objects. What a user has applied is the user's.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import structlog
import yaml

from headgate.api import crd, releases

from . import refusals, writes
from .admission import BINDINGS, POLICIES
from .api import Api, decode
from .cache import Record
from .definitions import DEFINITIONS
from .resources import Object

log = structlog.get_logger("headgate.localapi.bundled")

#: On definitions that came with the start: which content it was.
MARK = "headgate.dev/bundled"
#: The kinds that a bundle is made of, and where they are kept; kustomizations and the like lie beside them.
_KINDS = {
    "CustomResourceDefinition": DEFINITIONS,
    "ValidatingAdmissionPolicy": POLICIES,
    "ValidatingAdmissionPolicyBinding": BINDINGS,
}
_ENDINGS = {".yaml", ".yml", ".json"}


class BundleError(ValueError):
    """What was asked for cannot be served; the text says why and what would work."""


def objects(wanted: str) -> list[Object]:
    """The definitions, and policies, that `--crds` asks for, beside those of kinds that are no Gateway API.

    Args:
        wanted: nothing for our own, `none`, `VERSION[:CHANNEL]`, or the path of a file or folder.

    Raises:
        BundleError: with what would work.
    """
    if not wanted:
        return crd.definitions()
    own = [definition for definition in crd.definitions() if not _is_gateway_api(definition)]
    if wanted == "none":
        return own
    if (path := Path(wanted)).exists():
        found = [obj for file in _files(path) for obj in _read(file)]
        if not found:
            raise BundleError(f"{path} holds no CustomResourceDefinition")
        names = {(obj["kind"], obj["metadata"]["name"]) for obj in found}
        return found + [obj for obj in own if (obj["kind"], obj["metadata"]["name"]) not in names]
    version, _, channel = wanted.partition(":")
    try:
        return releases.definitions(version, channel or "standard") + own
    except ValueError as error:
        raise BundleError(f"{error}, or the path of a file or folder with official definitions, or none") from None


def _is_gateway_api(definition: Object) -> bool:
    return str(definition["spec"]["group"]).startswith("gateway.networking.")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in sorted(path.iterdir()) if file.suffix in _ENDINGS]


def _read(file: Path) -> Iterator[Object]:
    try:
        documents = list(yaml.load_all(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (OSError, yaml.YAMLError) as error:
        raise BundleError(f"{file} cannot be read: {error}") from None
    for document in documents:
        if isinstance(document, dict) and document.get("kind") in _KINDS:
            if not isinstance((document.get("metadata") or {}).get("name"), str):
                raise BundleError(f"{file}: a {document['kind']} has no metadata.name")
            yield document


# --- into the store ---------------------------------------------------------------------------------------------------


def store(api: Api, wanted: list[Object]) -> None:
    """Store what is missing, replace what nobody has edited, remove what nobody asks for. Raises `BundleError`."""
    for obj in wanted:
        try:
            _store(api, obj)
        except refusals.Refusal as refusal:
            raise BundleError(refusal.message) from None
    names = {obj["metadata"]["name"] for obj in wanted}
    for record in list(api.cache.collection(DEFINITIONS)):
        if record.key.name not in names and _is_ours(decode(record)):
            _retire(api, record)


def _store(api: Api, obj: Object) -> None:
    holder = api.registry[_KINDS[obj["kind"]]]
    metadata, mark = obj["metadata"], hash_of(obj["spec"])
    wanted = {**obj, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), MARK: mark}}}
    wanted.pop("status", None)
    record = api.record(holder, "", metadata["name"])
    if record is None:
        api.create(holder, "v1", "", wanted)
        return
    there = decode(record)
    if there["metadata"].get("annotations", {}).get(MARK) != mark and _is_ours(there):
        api.change(holder, "v1", "", metadata["name"], _replaced_by(wanted))


def _is_ours(there: Object) -> bool:
    """Whether the content is still the one that an earlier start put there."""
    before = (there["metadata"].get("annotations") or {}).get(MARK)
    return before is not None and before == hash_of(there["spec"])


def _retire(api: Api, record: Record) -> None:
    holder, name = api.registry[DEFINITIONS], record.key.name
    if api.cache.collection(name).records:
        log.warning("a definition that was not asked for stays, because there are objects of it", name=name)
        return
    waiting, gone = api.delete(holder, "", name, writes.Deletion(propagation="Background"))
    if not gone:
        there = decode(waiting)
        metadata = {key: value for key, value in there["metadata"].items() if key != "finalizers"}
        api.write(holder, there, {**there, "metadata": metadata})


def _replaced_by(wanted: Object) -> Callable[[Object], Object]:
    def edit(old: Object) -> Object:
        annotations = {**(old["metadata"].get("annotations") or {}), **wanted["metadata"]["annotations"]}
        return {**old, "metadata": {**old["metadata"], "annotations": annotations}, "spec": wanted["spec"]}

    return edit


def hash_of(spec: Object) -> str:
    """A short hash of a definition, or of a policy: the same before and after it is stored, which adds some fields."""
    plain = {name: value for name, value in spec.items() if name != "conversion"}
    if kind := (names := spec.get("names") or {}).get("kind"):
        plain["names"] = {"singular": kind.lower(), "listKind": f"{kind}List"} | names
    return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()[:16]
