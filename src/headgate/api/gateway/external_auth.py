"""External authorisation (GEP-1494), as a filter of a route and as one of a listener (GEP-5224)."""

from typing import Annotated

from ..constraints import Count, atomic, keywords, one_of, unique
from ..meta import Value
from .shared import BackendObjectReference, LocalObjectReference


class GRPCAuthConfig(Value):
    """Envoy's protocol; the headers that the server sees."""

    allowed_headers: Annotated[tuple[str, ...], unique(64)] = ()


class HTTPAuthConfig(Value):
    """A request with this path before its own; the headers that the server and, from its answer, the backend sees."""

    path: Annotated[
        str, keywords(maxLength=1024, pattern=r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$")
    ] = ""
    allowed_headers: Annotated[tuple[str, ...], unique(64)] = ()
    allowed_response_headers: Annotated[tuple[str, ...], unique(64)] = ()


class ForwardBodyConfig(Value):
    """How many bytes of the body the server gets; 0 is none."""

    max_size: Count = 0


class HTTPExternalAuthFilter(Value):
    """A server that is asked before a request goes on; protocol HTTP or GRPC says which of the fields must be there."""

    protocol: Annotated[str, one_of("HTTP", "GRPC")]
    backend_ref: BackendObjectReference
    grpc: GRPCAuthConfig | None = None
    http: HTTPAuthConfig | None = None
    forward_body: ForwardBodyConfig | None = None


class ListenerRequestFilter(Value):
    """One filter before routing: `type` names which of the fields is set."""

    type: Annotated[str, one_of("ExternalAuth", "ExtensionRef")]
    external_auth: HTTPExternalAuthFilter | None = None
    extension_ref: LocalObjectReference | None = None


class ListenerFilters(Value):
    """What every request of a listener passes, in this order, before a route is chosen."""

    requests: Annotated[tuple[ListenerRequestFilter, ...], atomic(16)] = ()
