"""A slot: the place of one HTTP filter in Envoy's HTTP connection managers, and how it is configured."""

import enum

import msgspec


class FilterOrder(enum.IntEnum):
    """The order of HTTP filters for requests; responses pass them in reverse. It includes filters that are not
    implemented yet, so that a new one does not move the others.

    * `CUSTOM_RESPONSE` is first, so that it sees the local replies of all others.
    * `BEFORE_ROUTING`: filters of a listener (GEP-5224). They may change the route, so they precede what routes enable.
    * The early RBAC and rate limit decide by address, path and method, before authentication costs anything. The late
      ones may use what authentication found (claims, client identities).
    * `EXT_AUTHZ` precedes `JWT_AUTHN` as in Envoy Gateway: an authorization server sees no claims.
    * `GUARD` is last, so that it looks at the route that was selected at the end.

    CORS is missing on purpose: it is made of routes (`headgate.filters.cors`).
    """

    CUSTOM_RESPONSE = enum.auto()
    BEFORE_ROUTING = enum.auto()
    HEALTH_CHECK = enum.auto()
    EARLY_RBAC = enum.auto()
    EARLY_LOCAL_RATE_LIMIT = enum.auto()
    FAULT = enum.auto()
    CSRF = enum.auto()
    HEADER_MUTATION = enum.auto()
    EXT_AUTHZ = enum.auto()
    API_KEY_AUTH = enum.auto()
    BASIC_AUTH = enum.auto()
    OAUTH2 = enum.auto()
    JWT_AUTHN = enum.auto()
    STATEFUL_SESSION = enum.auto()
    BUFFER = enum.auto()
    LUA = enum.auto()
    EXT_PROC = enum.auto()
    GEOIP = enum.auto()
    LATE_RBAC = enum.auto()
    LATE_LOCAL_RATE_LIMIT = enum.auto()
    RATE_LIMIT = enum.auto()
    BANDWIDTH_LIMIT = enum.auto()
    GRPC_WEB = enum.auto()
    CREDENTIAL_INJECTOR = enum.auto()
    COMPRESSOR = enum.auto()
    GUARD = enum.auto()


class Delivery(enum.Enum):
    """How the configuration of a filter reaches Envoy."""

    #: The per-route message holds all of it; the filter's own configuration is a constant. A change drains nothing.
    ROUTE = "per route"
    #: The filter's own configuration decides and is part of the listener. A change drains the filter chain.
    LISTENER = "with the listener"
    #: The filter's own configuration is a resource of the slot's name (ECDS). A change drains nothing.
    ECDS = "by ECDS"


class Tier(enum.IntEnum):
    """Which slots a filter chain has: those of its tier and of all tiers below.

    A chain of tier `NONE` has no slot but the guards. `STANDARD` are the slots that a Gateway of few filter chains
    always has, `EXTENDED` those that a chain gets only when something uses them.
    """

    NONE = 0
    STANDARD = 1
    EXTENDED = 2


class Slot(msgspec.Struct, frozen=True):
    """One HTTP filter. In a chain it is disabled; a virtual host, a route or a weighted cluster enables it by a message
    under `name` in `typed_per_filter_config`. All bytes are serialised `google.protobuf.Any`.
    """

    name: str
    order: FilterOrder
    #: The filter's own configuration, in use where the slot is enabled by a message that does not replace it.
    config: bytes
    #: The per-route message with which the filter is in the chain of a request and does nothing. A later change of the
    #: route can then still enable it.
    off: bytes
    delivery: Delivery = Delivery.ROUTE
    tier: Tier = Tier.STANDARD
    #: Orders slots of equal `order`.
    position: int = 0
    #: The filter's own configuration in its copies before routing (see `before_routing`); empty: it has none.
    before_routing: bytes = b""
    #: For a guard: the tier whose absence it guards. It is in the chains that lack that tier.
    guards: Tier = Tier.NONE
