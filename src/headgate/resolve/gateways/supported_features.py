"""The features in `GatewayClass.status.supportedFeatures`: names of the conformance suite of v1.7, ascending.

A feature is supported when a golden case shows it on a real Envoy. It is reported where the CustomResourceDefinitions
have the kind and the fields that it needs.
"""

from collections.abc import Mapping

from headgate.api import gateway
from headgate.world.objects import KINDS

#: Kinds of the Gateway API; each is a feature, and the names of its other features begin with its name.
_KINDS = tuple(kind.name for kind in KINDS if kind.group == gateway.GROUP and kind.type is not gateway.GatewayClass)

#: Features besides the kinds themselves.
_FEATURES = (
    "BackendTLSPolicySANValidation",
    "ClusterTrustBundle",
    "GRPCRouteNamedRouteRule",
    "GRPCRouteRequestHeaderModifier",
    "GatewayAddressEmpty",
    "GatewayAddressRoutability",
    "GatewayAddressRoutabilityCluster",
    "GatewayBackendClientCertificate",
    "GatewayFrontendClientCertificateValidation",
    "GatewayFrontendClientCertificateValidationInsecureFallback",
    "GatewayHTTPListenerIsolation",
    "GatewayHTTPSListenerDetectMisdirectedRequests",
    "GatewayInfrastructure",
    "GatewayListenerFilters",
    "GatewayPort8080",
    "GatewayRouteHostnameIntersectionPrecedence",
    "GatewayStaticAddresses",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteBackendURLRewrite",
    "HTTPRouteCORS",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteRetryCodes",
    "HTTPRouteRetryConnectionError",
    "HTTPRouteSchemeRedirect",
    "TLSRouteModeMixed",
    "TLSRouteModeTerminate",
)

SUPPORTED = tuple(sorted((*_KINDS, *_FEATURES)))

#: The kind and the path of a field that a feature needs, besides the kind that its name begins with.
_REQUIRED_FIELDS: dict[str, tuple[str, str]] = {
    "BackendTLSPolicySANValidation": ("BackendTLSPolicy", "spec.validation.subjectAltNames"),
    "ClusterTrustBundle": ("ClusterTrustBundle", ""),
    "GatewayAddressRoutability": ("Gateway", "spec.addresses.routability"),
    "GatewayAddressRoutabilityCluster": ("Gateway", "spec.addresses.routability"),
    "GatewayBackendClientCertificate": ("Gateway", "spec.tls.backend.clientCertificateRef"),
    "GatewayFrontendClientCertificateValidation": ("Gateway", "spec.tls.frontend.default.validation"),
    "GatewayFrontendClientCertificateValidationInsecureFallback": (
        "Gateway",
        "spec.tls.frontend.default.validation.mode",
    ),
    "GatewayInfrastructure": ("Gateway", "spec.infrastructure"),
    "GatewayListenerFilters": ("Gateway", "spec.listeners.filters"),
    "GRPCRouteNamedRouteRule": ("GRPCRoute", "spec.rules.name"),
    "HTTPRouteCORS": ("HTTPRoute", "spec.rules.filters.cors"),
    "HTTPRouteNamedRouteRule": ("HTTPRoute", "spec.rules.name"),
    "HTTPRouteRequestPercentageMirror": ("HTTPRoute", "spec.rules.filters.requestMirror.percent"),
    "HTTPRouteRetryCodes": ("HTTPRoute", "spec.rules.retry.codes"),
    "HTTPRouteRetryConnectionError": ("HTTPRoute", "spec.rules.retry"),
    "ListenerSet": ("Gateway", "spec.allowedListeners"),
}


def supported_features(defined: Mapping[str, frozenset[str]] | None) -> tuple[str, ...]:
    """The features that can be served.

    Args:
        defined: the paths of the fields of each kind that the API server serves; None: every kind and field.
    """
    if defined is None:
        return SUPPORTED
    return tuple(name for name in SUPPORTED if _possible(name, defined))


def _possible(name: str, defined: Mapping[str, frozenset[str]]) -> bool:
    kind = next((kind for kind in _KINDS if name.startswith(kind)), "Gateway")
    needed, field = _REQUIRED_FIELDS.get(name, (kind, ""))
    return kind in defined and needed in defined and (not field or field in defined[needed])
