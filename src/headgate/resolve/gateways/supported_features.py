"""What `GatewayClass.status.supportedFeatures` says: the names of the conformance suite of v1.7, ascending.

A name stands here when a golden case shows the feature on a real Envoy. It is said only where the installed
definitions have what it needs.
"""

from collections.abc import Mapping

SUPPORTED = (
    "BackendTLSPolicy",
    "BackendTLSPolicySANValidation",
    "ClusterTrustBundle",
    "GRPCRoute",
    "GRPCRouteNamedRouteRule",
    "GRPCRouteRequestHeaderModifier",
    "Gateway",
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
    "HTTPRoute",
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
    "ListenerSet",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
    "TLSRouteModeMixed",
    "TLSRouteModeTerminate",
    "UDPRoute",
)

#: What features need beside the kind that their name begins with: the kind and the path of a field.
_NEEDS: dict[str, tuple[str, str]] = {
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

#: Kinds that the names of features begin with; the others are the Gateway's.
_KINDS = (
    "BackendTLSPolicy",
    "GRPCRoute",
    "HTTPRoute",
    "ListenerSet",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
    "UDPRoute",
)


def supported_features(defined: Mapping[str, frozenset[str]] | None) -> tuple[str, ...]:
    """The features that can be served, given the fields of each kind that the API serves; None: of all that we know."""
    if defined is None:
        return SUPPORTED
    return tuple(name for name in SUPPORTED if _possible(name, defined))


def _possible(name: str, defined: Mapping[str, frozenset[str]]) -> bool:
    kind = next((kind for kind in _KINDS if name.startswith(kind)), "Gateway")
    needed, field = _NEEDS.get(name, (kind, ""))
    return kind in defined and needed in defined and (not field or field in defined[needed])
