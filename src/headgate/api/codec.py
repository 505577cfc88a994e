"""Objects as JSON and YAML, and back; the kinds that Headgate knows.

Errors are `DecodeError`: they have the path of the field and say what would work.
"""

import contextlib
import functools
import re
from collections.abc import Iterator
from typing import Any, TypeVar, cast

import msgspec
import yaml

from . import apps, certificates, coordination, core, definitions, delivery, discovery, gateway, gateway_x
from .meta import Object

T = TypeVar("T", bound=Object)


class Kind(msgspec.Struct, frozen=True):
    """A kind of objects, and where API servers serve it."""

    type: type[Object]
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    #: Older versions that decode into the same type.
    other_versions: tuple[str, ...] = ()
    #: Versions that the official CustomResourceDefinitions no longer serve and whose objects still fit the type. The
    #: local API serves them with a warning, so that manifests from then apply as they are.
    former_versions: tuple[str, ...] = ()
    #: Whether only the experimental channel of the Gateway API has it.
    experimental: bool = False
    #: The first release of the Gateway API whose standard channel has it; empty: older than every release we know.
    since: str = ""

    @property
    def api_version(self) -> str:
        """`group/version`, or `v1` for the core group."""
        return str(_default(self.type, "api_version"))

    @property
    def kind(self) -> str:
        """The name of the kind."""
        return str(_default(self.type, "kind"))

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of a subresource."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = f"/{name}" if name else ""
        return f"{root}{scope}/{self.plural}{tail}" + (f"/{subresource}" if subresource else "")


class DecodeError(ValueError):
    """A document that is not a valid object.

    `path` is the field (`spec.rules[0].backendRefs[1].port`), empty for the whole document; `message` says what is
    there and what would work.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


@functools.cache
def _default(cls: type[Object], attribute: str) -> Any:
    """The default of a field. Cached: it is needed several times for every URL, and the search takes 13 µs."""
    return next(f.default for f in msgspec.structs.fields(cls) if f.name == attribute)


_EXPERIMENTAL: dict[str, Any] = {"categories": ("gateway-api",), "status": True, "experimental": True}

#: Every kind that Headgate reads or writes.
KINDS: tuple[Kind, ...] = (
    Kind(core.Namespace, "namespaces", namespaced=False, short_names=("ns",), status=True),
    Kind(core.Secret, "secrets"),
    Kind(core.ConfigMap, "configmaps", short_names=("cm",)),
    Kind(core.ServiceAccount, "serviceaccounts", short_names=("sa",)),
    Kind(core.Service, "services", short_names=("svc",), categories=("all",), status=True),
    Kind(core.Pod, "pods", short_names=("po",), categories=("all",), status=True),
    Kind(core.Node, "nodes", namespaced=False, short_names=("no",), status=True),
    Kind(core.Event, "events", short_names=("ev",)),
    Kind(apps.Deployment, "deployments", short_names=("deploy",), categories=("all",), status=True),
    Kind(apps.ReplicaSet, "replicasets", short_names=("rs",), categories=("all",), status=True),
    Kind(discovery.EndpointSlice, "endpointslices"),
    Kind(definitions.CustomResourceDefinition, "customresourcedefinitions", namespaced=False, status=True),
    Kind(coordination.Lease, "leases"),
    Kind(
        certificates.ClusterTrustBundle,
        "clustertrustbundles",
        namespaced=False,
        other_versions=("v1beta1", "v1alpha1"),
    ),
    Kind(
        gateway.GatewayClass,
        "gatewayclasses",
        namespaced=False,
        short_names=("gc",),
        categories=("gateway-api",),
        status=True,
        other_versions=("v1beta1",),
        former_versions=("v1alpha2",),
    ),
    Kind(
        gateway.Gateway,
        "gateways",
        short_names=("gtw",),
        categories=("gateway-api",),
        status=True,
        other_versions=("v1beta1",),
        former_versions=("v1alpha2",),
    ),
    Kind(
        gateway.HTTPRoute,
        "httproutes",
        categories=("gateway-api",),
        status=True,
        other_versions=("v1beta1",),
        former_versions=("v1alpha2",),
    ),
    Kind(
        gateway.ListenerSet,
        "listenersets",
        short_names=("lset",),
        categories=("gateway-api",),
        status=True,
        since="v1.5.0",
    ),
    Kind(
        gateway.GRPCRoute,
        "grpcroutes",
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha2",),
    ),
    Kind(
        gateway.TLSRoute,
        "tlsroutes",
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha3",),
        since="v1.5.0",
    ),
    Kind(
        gateway.TCPRoute,
        "tcproutes",
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha2",),
        since="v1.6.0",
    ),
    Kind(
        gateway.UDPRoute,
        "udproutes",
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha2",),
        since="v1.6.0",
    ),
    Kind(
        gateway.BackendTLSPolicy,
        "backendtlspolicies",
        short_names=("btlspolicy",),
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha3",),
        since="v1.4.0",
    ),
    Kind(
        gateway.ReferenceGrant,
        "referencegrants",
        short_names=("refgrant",),
        categories=("gateway-api",),
        other_versions=("v1beta1",),
    ),
    Kind(gateway_x.XBackend, "xbackends", short_names=("xbackend",), **_EXPERIMENTAL),
    Kind(gateway_x.XBackendTrafficPolicy, "xbackendtrafficpolicies", short_names=("xbtrafficpolicy",), **_EXPERIMENTAL),
    Kind(gateway_x.XTelemetryPolicy, "xtelemetrypolicies", short_names=("xtelemetrypolicy",), **_EXPERIMENTAL),
    Kind(delivery.Canary, "canaries", categories=("all",), status=True),
    Kind(delivery.MetricTemplate, "metrictemplates", categories=("all",), status=True),
    Kind(delivery.AlertProvider, "alertproviders", categories=("all",), status=True),
)

_BY_TYPE = {kind.type: kind for kind in KINDS}
_BY_NAME = {(kind.group, kind.kind): kind for kind in KINDS}


def kind_of(cls: type[Object]) -> Kind:
    """The kind of a class, or of another class with the same apiVersion and kind: a narrower or wider view of it."""
    if kind := _BY_TYPE.get(cls):
        return kind
    api_version, name = str(_default(cls, "api_version")), str(_default(cls, "kind"))
    return _BY_NAME[api_version.rpartition("/")[0], name]


def find_kind(api_version: str, kind: str) -> Kind | None:
    """The kind with an apiVersion and a name, or None if it is not known in that version."""
    group, _, version = api_version.rpartition("/")
    known = _BY_NAME.get((group, kind))
    if known is None or version not in (known.version, *known.other_versions, *known.former_versions):
        return None
    return known


@functools.cache
def _decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(cls)


def decode(cls: type[T], body: bytes | str) -> T:
    """One JSON object as its type. Raises `DecodeError`, and nothing else, whatever the text is."""
    with _only_decode_errors():
        try:
            return cast(T, _decoder(cls).decode(body))
        except msgspec.ValidationError:
            return convert(cls, msgspec.json.decode(body))


def plain(body: bytes) -> dict[str, Any]:
    """One JSON object as dicts and lists. Raises `DecodeError`, and nothing else."""
    with _only_decode_errors():
        document = msgspec.json.decode(body)
    if not isinstance(document, dict):
        raise DecodeError(f"expected an object, found {type(document).__name__}")
    return document


@contextlib.contextmanager
def _only_decode_errors() -> Iterator[None]:
    """Turn every exception into a `DecodeError`.

    Objects are written by others. One that a decoder or the `__post_init__` of a type does not expect must not raise
    anything that ends the watch of all objects.
    """
    try:
        yield
    except DecodeError:
        raise
    except RecursionError:
        raise DecodeError("nested too deeply to be read; about 1,000 levels are the limit") from None
    except msgspec.DecodeError as error:
        raise DecodeError(f"not JSON: {error}") from None
    except Exception as error:
        raise DecodeError(f"cannot be decoded: {type(error).__name__}: {error}") from None


def convert(cls: type[T], value: object) -> T:
    """Plain dicts and lists as their type. Raises `DecodeError`.

    A field that is `null` is treated as absent: Go writes `null` for a list that was never filled (`endpoints: null`).
    """
    with _only_decode_errors():
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError:
            return _convert_without_nulls(cls, value)


def _convert_without_nulls(cls: type[T], value: object) -> T:
    try:
        return msgspec.convert(_without_nulls(value), cls)
    except msgspec.ValidationError as error:
        raise _decode_error(error) from None


def _without_nulls(value: object) -> object:
    """The value without fields that are `null`; items of lists stay, so that paths in errors are right."""
    if isinstance(value, dict):
        return {key: _without_nulls(field) for key, field in value.items() if field is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def encode(value: Object) -> bytes:
    """An object as JSON, with `apiVersion` and `kind` and without fields that have their default."""
    return msgspec.json.encode(builtins(value))


def builtins(value: Object) -> dict[str, Any]:
    """An object as plain dicts and lists, ready for JSON or YAML."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return {"apiVersion": value.api_version, "kind": value.kind} | plain


def manifests(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a YAML stream, and the items of `List` kinds in it. Raises `DecodeError`."""
    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        raise DecodeError(f"not YAML: {error}") from None
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            raise DecodeError(f"expected an object with apiVersion and kind, found {type(document).__name__}")
        if isinstance(items := document.get("items"), list) and str(document.get("kind", "")).endswith("List"):
            yield from items
        else:
            yield document


_AT = re.compile(r"^(?P<message>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?$", re.DOTALL)


def _decode_error(error: msgspec.ValidationError) -> DecodeError:
    """From msgspec's text (`Expected `int`, got `str` - at `$.spec.x[0]``) to the path and the rest of it."""
    match = _AT.match(str(error))
    if match is None:
        return DecodeError(str(error))
    return DecodeError(match["message"].replace("`", ""), (match["path"] or "").lstrip("."))
