"""YAML and JSON to types and back; which kind is which class.

Errors are `Invalid`: they carry the path of the field and say what would work.
"""

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
    """A kind of object and where the API serves it."""

    type: type[Object]
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    #: Older versions that decode into the same type.
    other_versions: tuple[str, ...] = ()
    #: Versions that the official definitions no longer serve and whose objects still fit the type. A laptop's API
    #: serves them, with a warning, so that manifests from then apply as they are.
    former_versions: tuple[str, ...] = ()
    #: Whether only the experimental channel of the Gateway API has it.
    experimental: bool = False

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
    """Bytes that are not the object they should be.

    `path` is the field (`spec.rules[0].backendRefs[1].port`), empty for the whole document; `message` says what is
    there and what would work.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


@functools.cache
def _default(cls: type[Object], attribute: str) -> Any:
    """Asked for several times with every URL, and to look through a type's fields takes 13 µs."""
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
    ),
    Kind(
        gateway.TCPRoute,
        "tcproutes",
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha2",),
    ),
    Kind(
        gateway.UDPRoute,
        "udproutes",
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha2",),
    ),
    Kind(
        gateway.BackendTLSPolicy,
        "backendtlspolicies",
        short_names=("btlspolicy",),
        categories=("gateway-api",),
        status=True,
        former_versions=("v1alpha3",),
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
    """The kind that a class stands for.

    A class of another room that declares the same apiVersion and kind stands for it as well: a narrower or wider view.
    """
    if found := _BY_TYPE.get(cls):
        return found
    api_version, kind = str(_default(cls, "api_version")), str(_default(cls, "kind"))
    return _BY_NAME[api_version.rpartition("/")[0], kind]


def find_kind(api_version: str, kind: str) -> Kind | None:
    """The kind of a manifest, or None if Headgate does not know it in that version."""
    group, _, version = api_version.rpartition("/")
    found = _BY_NAME.get((group, kind))
    return found if found and version in (found.version, *found.other_versions, *found.former_versions) else None


@functools.cache
def _decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(cls)


def decode(cls: type[T], body: bytes | str) -> T:
    """One JSON object as its type.

    Raises:
        DecodeError: with the path of the field.
    """
    try:
        return cast(T, _decoder(cls).decode(body))
    except msgspec.ValidationError as error:
        if _is_about_null(error):
            return convert(cls, msgspec.json.decode(body))
        raise _decode_error(error) from None
    except msgspec.DecodeError as error:
        raise DecodeError(f"not JSON: {error}") from None


def convert(cls: type[T], value: object) -> T:
    """Plain dicts and lists as their type; raises `DecodeError`."""
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        if _is_about_null(error):
            return _convert_without_nulls(cls, value)
        raise _decode_error(error) from None


def _is_about_null(error: msgspec.ValidationError) -> bool:
    return "got `null`" in str(error)


def _convert_without_nulls(cls: type[T], value: object) -> T:
    """Go writes `null` for a list that was never filled (`endpoints: null`) and reads it as a field that is absent."""
    try:
        return msgspec.convert(_without_nulls(value), cls)
    except msgspec.ValidationError as error:
        raise _decode_error(error) from None


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


def encode(value: Object) -> bytes:
    """An object as JSON. `apiVersion` and `kind` are always there; other defaults are left out."""
    return msgspec.json.encode(builtins(value))


def builtins(value: Object) -> dict[str, Any]:
    """An object as plain dicts and lists, ready for JSON or YAML."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return {"apiVersion": value.api_version, "kind": value.kind} | plain


def manifests(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a YAML stream; `List` kinds are unpacked, empty documents skipped. Raises `DecodeError`."""
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


def decode_manifest(document: dict[str, Any]) -> Object:
    """A plain object as the type of its kind; raises `DecodeError` for a kind that Headgate does not know."""
    api_version, name = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    kind = find_kind(api_version, name)
    if kind is None:
        raise DecodeError(f"no kind {name!r} in {api_version!r} is known here", "kind")
    return convert(kind.type, document)


_AT = re.compile(r"^(?P<message>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?$", re.DOTALL)


def _decode_error(error: msgspec.ValidationError) -> DecodeError:
    """msgspec says `Expected `int`, got `str` - at `$.spec.x[0]``; Kubernetes says the path first."""
    match = _AT.match(str(error))
    if match is None:
        return DecodeError(str(error))
    return DecodeError(match["message"].replace("`", ""), (match["path"] or "").lstrip("."))
