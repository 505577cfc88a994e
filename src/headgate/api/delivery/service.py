"""`spec.service` of a Canary: its Services and its HTTPRoute, with matches and filters in Istio's schema."""

from typing import Annotated

from msgspec import Meta

from ..constraints import GroupName, KindName, NamespaceName, ObjectName, PortNumber, SectionName
from ..meta import Value
from .schema import Free, Number, at_most_one_of, enum, one_of


class StringMatch(Value):
    """A string condition: one of exact, prefix, suffix (A/B headers only) and regex."""

    exact: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    regex: str | None = None


ServiceMatch = Annotated[StringMatch, at_most_one_of("exact", "prefix", "regex")]
HeaderMatch = Annotated[StringMatch, Meta(extra_json_schema={"oneOf": one_of("exact", "prefix", "suffix", "regex")})]
OriginMatch = Annotated[StringMatch, Meta(extra_json_schema={"oneOf": one_of("exact", "prefix", "regex")})]


class HTTPMatchRequest(Value):
    """A condition on requests, with the fields of Istio's VirtualService; an HTTPRoute can express some of them."""

    name: str | None = None
    uri: ServiceMatch | None = None
    scheme: ServiceMatch | None = None
    method: ServiceMatch | None = None
    authority: ServiceMatch | None = None
    headers: dict[str, ServiceMatch] = {}
    query_params: dict[str, ServiceMatch] = {}
    without_headers: dict[str, ServiceMatch] = {}
    ignore_uri_case: bool | None = None
    port: int | None = None
    gateways: tuple[str, ...] = ()
    source_labels: dict[str, str] = {}
    source_namespace: str | None = None


class HTTPRewrite(Value):
    """A new path (type ReplacePrefixMatch, else the full path is replaced) or host."""

    uri: str | None = None
    authority: str | None = None
    type: str | None = None


class HTTPRetry(Value):
    """When a request is retried, with the fields of Istio's VirtualService."""

    attempts: Annotated[int, Meta(extra_json_schema={"format": "int32"})] | None = None
    per_try_timeout: str | None = None
    retry_on: str | None = None


class HeaderOperations(Value):
    """Headers to add, set and remove."""

    add: dict[str, str] = {}
    set: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class Headers(Value):
    """Operations on the headers of requests and of responses."""

    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class MirrorBackendRef(Value):
    """The Service that gets a copy of every request."""

    name: ObjectName
    group: Annotated[GroupName, Meta(extra_json_schema={"default": ""})] = ""
    kind: KindName = "Service"
    namespace: NamespaceName | None = None
    port: PortNumber | None = None


class Mirror(Value):
    """A permanent mirror of the traffic."""

    backend_ref: Annotated[
        MirrorBackendRef,
        Meta(
            extra_json_schema={
                "x-kubernetes-validations": [
                    {
                        "message": "Must have port for Service reference",
                        "rule": "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
                    }
                ]
            }
        ),
    ]


class GatewayRef(Value):
    """A parent of the HTTPRoute."""

    name: ObjectName
    group: GroupName = "gateway.networking.k8s.io"
    kind: KindName = "Gateway"
    namespace: NamespaceName | None = None
    section_name: SectionName | None = None
    port: PortNumber | None = None


class CorsPolicy(Value):
    """CORS, with the fields of Istio's VirtualService; `max_age` is a duration."""

    allow_origin: tuple[str, ...] = ()
    allow_origins: tuple[OriginMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool | None = None
    max_age: str | None = None


class CustomMetadata(Value):
    """Labels and annotations for one of the generated Services."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class UnmanagedMetadata(Value):
    """Keys on the generated Services that the controller must not touch."""

    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


class CanaryService(Value):
    """The Services and the HTTPRoute of a Canary."""

    port: Number
    name: str | None = None
    port_name: str | None = None
    target_port: Annotated[int | str, Meta(extra_json_schema={"x-kubernetes-int-or-string": True})] | None = None
    app_protocol: str | None = None
    traffic_distribution: Annotated[str, enum("PreferClose", "PreferSameZone", "PreferSameNode")] | None = None
    port_discovery: bool | None = None
    headless: bool | None = None
    timeout: str | None = None
    backend_timeout: str | None = None
    gateways: tuple[str, ...] = ()
    gateway_refs: Annotated[tuple[GatewayRef, ...], Meta(extra_json_schema={"maxItems": 32})] = ()
    hosts: tuple[str, ...] = ()
    delegation: bool | None = None
    traffic_policy: Free | None = None
    match: tuple[HTTPMatchRequest, ...] = ()
    rewrite: HTTPRewrite | None = None
    retries: HTTPRetry | None = None
    headers: Headers | None = None
    mirror: tuple[Mirror, ...] = ()
    cors_policy: CorsPolicy | None = None
    mesh_name: str | None = None
    backends: tuple[str, ...] = ()
    apex: CustomMetadata | None = None
    primary: CustomMetadata | None = None
    canary: CustomMetadata | None = None
    unmanaged_metadata: UnmanagedMetadata | None = None
