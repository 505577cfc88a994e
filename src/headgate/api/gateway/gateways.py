"""GatewayClass and Gateway."""

from typing import Annotated

from ..constraints import (
    EXPERIMENTAL,
    REQUIRED,
    AddressType,
    AnnotationValue,
    DomainPath,
    GroupName,
    Int32,
    KindName,
    LabelValue,
    NamespaceName,
    ObjectName,
    PortNumber,
    atomic,
    keyed,
    keywords,
    one_of,
    waiting,
)
from ..meta import Object, Value
from .listeners import Listener, ListenerStatus, Selector
from .shared import AGE, Column, Conditions, SecretObjectReference

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {
    "GatewayClass": (
        ("Controller", "string", ".spec.controllerName", 0),
        ("Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status', 0),
        AGE,
        ("Description", "string", ".spec.description", 1),
    ),
    "Gateway": (
        ("Class", "string", ".spec.gatewayClassName", 0),
        ("Address", "string", ".status.addresses[*].value", 0),
        ("Programmed", "string", '.status.conditions[?(@.type=="Programmed")].status', 0),
        AGE,
    ),
}

#: An address of type IPAddress must be one.
_ADDRESS = keywords(
    oneOf=[
        {
            "properties": {
                "type": {"enum": ["IPAddress"]},
                "value": {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
            }
        },
        {"properties": {"type": {"not": {"enum": ["IPAddress"]}}}},
    ]
)


class ParametersReference(Value):
    """Implementation-specific parameters of a class."""

    group: GroupName
    kind: KindName
    name: ObjectName
    namespace: NamespaceName | None = None


class GatewayClassSpec(Value):
    """Which controller serves the Gateways of this class."""

    controller_name: DomainPath
    parameters_ref: ParametersReference | None = None
    description: Annotated[str, keywords(maxLength=64)] | None = None


class SupportedFeature(Value):
    """A feature of the conformance suite that the class supports."""

    name: str


class GatewayClassStatus(Value):
    """Accepted or not, and what is supported."""

    conditions: Annotated[Conditions, keywords(default=waiting("Accepted")["conditions"])] = ()
    supported_features: Annotated[tuple[SupportedFeature, ...], keyed("name", 64)] = ()


class GatewayClass(Object, kw_only=True):
    """A kind of load balancer that is available (cluster-scoped)."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "GatewayClass"
    spec: GatewayClassSpec
    status: Annotated[GatewayClassStatus, keywords(default=waiting("Accepted"))] = GatewayClassStatus()


#: From where an address can be reached: anywhere (empty), `Cluster`, or a domain-prefixed name (GEP-5093).
Routability = Annotated[Annotated[str, keywords(maxLength=253)] | None, EXPERIMENTAL]


class GatewaySpecAddress(Value):
    """An address asked for; type IPAddress, Hostname or a domain-prefixed name."""

    type: AddressType = "IPAddress"
    value: Annotated[str, keywords(maxLength=253)] = ""
    routability: Routability = None


class LocalParametersReference(Value):
    """Implementation-specific parameters of a Gateway, in its namespace."""

    group: GroupName
    kind: KindName
    name: ObjectName


class GatewayInfrastructure(Value):
    """Labels and annotations for what is made for a Gateway."""

    labels: Annotated[dict[str, LabelValue], keywords(maxProperties=8)] = {}
    annotations: Annotated[dict[str, AnnotationValue], keywords(maxProperties=16)] = {}
    parameters_ref: LocalParametersReference | None = None


class ListenerNamespaces(Value):
    """From which namespaces ListenerSets may attach: All, Selector, Same or None."""

    from_: Annotated[str, one_of("All", "Selector", "Same", "None")] = "None"
    selector: Selector | None = None


class AllowedListeners(Value):
    """Which ListenerSets may attach to a Gateway."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class CACertificateReference(Value):
    """A ConfigMap or Secret that holds authorities for client certificates."""

    group: GroupName
    kind: KindName
    name: ObjectName
    namespace: NamespaceName | None = None


class FrontendTLSValidation(Value):
    """How client certificates are judged; mode AllowValidOnly or AllowInsecureFallback."""

    ca_certificate_refs: Annotated[tuple[CACertificateReference, ...], atomic(16, minItems=1)]
    mode: Annotated[str, one_of("AllowValidOnly", "AllowInsecureFallback")] = "AllowValidOnly"


class TLSConfig(Value):
    """Validation of client certificates."""

    validation: FrontendTLSValidation | None = None


class TLSPortConfig(Value):
    """Validation of client certificates on one port."""

    port: PortNumber
    tls: TLSConfig


class FrontendTLSConfig(Value):
    """TLS between clients and the Gateway: for all ports, and for some of them differently."""

    default: TLSConfig
    per_port: Annotated[tuple[TLSPortConfig, ...], keyed("port", 64)] = ()


class GatewayBackendTLS(Value):
    """The client certificate that the Gateway shows to backends."""

    client_certificate_ref: SecretObjectReference | None = None


class GatewayTLS(Value):
    """TLS of the whole Gateway."""

    backend: GatewayBackendTLS | None = None
    frontend: FrontendTLSConfig | None = None


class GatewaySpec(Value):
    """What a Gateway listens on."""

    gateway_class_name: ObjectName
    listeners: Annotated[tuple[Listener, ...], REQUIRED, keyed("name", 64, minItems=1)] = ()
    addresses: Annotated[tuple[Annotated[GatewaySpecAddress, _ADDRESS], ...], atomic(16)] = ()
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners | None = None
    tls: GatewayTLS | None = None
    default_scope: Annotated[Annotated[str, one_of("All", "None")] | None, EXPERIMENTAL] = None


class GatewayStatusAddress(Value):
    """An address that traffic can be sent to."""

    value: Annotated[str, keywords(minLength=1, maxLength=253)]
    type: AddressType = "IPAddress"
    routability: Routability = None


class GatewayStatus(Value):
    """What became of a Gateway."""

    addresses: Annotated[tuple[Annotated[GatewayStatusAddress, _ADDRESS], ...], atomic(16)] = ()
    conditions: Annotated[Conditions, keywords(default=waiting("Accepted", "Programmed")["conditions"])] = ()
    listeners: Annotated[tuple[ListenerStatus, ...], keyed("name", 64)] = ()
    attached_listener_sets: Int32 | None = None


class Gateway(Object, kw_only=True):
    """One load balancer."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "Gateway"
    spec: GatewaySpec
    status: Annotated[GatewayStatus, keywords(default=waiting("Accepted", "Programmed"))] = GatewayStatus()
