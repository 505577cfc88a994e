"""Constraints of CustomResourceDefinitions that a Python type cannot express.

Fields carry them as `Annotated[..., keywords(...)]`. Decoding ignores them: an unsupported value must become a
condition of the object, not a decoding error. The API that stores the object enforces them.
"""

from typing import Annotated, Any

from msgspec import Meta

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PATH = r"\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+"


def keywords(schema: dict[str, Any] | None = None, **more: Any) -> Meta:
    """Keywords of the schema. Keywords that are not Python names are passed as a dict."""
    return Meta(extra_json_schema={**(schema or {}), **more})


def atomic(most: int, **more: Any) -> Meta:
    """A list that is replaced as a whole, with at most so many items."""
    return keywords({"x-kubernetes-list-type": "atomic"}, maxItems=most, **more)


def keyed(key: str, most: int, **more: Any) -> Meta:
    """A list whose entries are told apart by a field."""
    return keywords({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}, maxItems=most, **more)


def unique(most: int | None = None) -> Meta:
    """A list that holds each value once."""
    return keywords({"x-kubernetes-list-type": "set"} | ({} if most is None else {"maxItems": most}))


def one_of(*values: str | int) -> Meta:
    """An enumeration."""
    return keywords(enum=list(values))


#: The field is required, although the type has a default.
REQUIRED = Meta(extra={"required": True})

#: The field exists in the experimental channel only.
EXPERIMENTAL = Meta(extra={"experimental": True})


def experimental(**words: Any) -> Meta:
    """Keywords that only the experimental channel has, in addition to those of both channels."""
    return Meta(extra={"experimental words": words})


GroupName = Annotated[str, keywords(maxLength=253, pattern=rf"^$|^{_SUBDOMAIN}$")]
#: A group that the API defaults to the core group.
CoreGroup = Annotated[str, keywords(default="", maxLength=253, pattern=rf"^$|^{_SUBDOMAIN}$")]
KindName = Annotated[str, keywords(minLength=1, maxLength=63, pattern=r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")]
ObjectName = Annotated[str, keywords(minLength=1, maxLength=253)]
NamespaceName = Annotated[str, keywords(minLength=1, maxLength=63, pattern=rf"^{_LABEL}$")]
SectionName = Annotated[str, keywords(minLength=1, maxLength=253, pattern=rf"^{_SUBDOMAIN}$")]
PortNumber = Annotated[int, keywords(format="int32", minimum=1, maximum=65535)]
Int32 = Annotated[int, keywords(format="int32")]
Count = Annotated[int, keywords(format="int32", minimum=0)]
#: A hostname, perhaps with a wildcard as its first label.
Hostname = Annotated[str, keywords(minLength=1, maxLength=253, pattern=rf"^(\*\.)?{_SUBDOMAIN}$")]
PreciseHostname = Annotated[str, keywords(minLength=1, maxLength=253, pattern=rf"^{_SUBDOMAIN}$")]
#: A controller name, `example.com/name`.
DomainPath = Annotated[str, keywords(minLength=1, maxLength=253, pattern=rf"^{_SUBDOMAIN}{_PATH}$")]
HeaderName = Annotated[str, keywords(minLength=1, maxLength=256, pattern=r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$")]
HeaderValue = Annotated[str, keywords(minLength=1, maxLength=4096)]
#: Gateway API's durations: `1h30m`, `500ms`.
GatewayDuration = Annotated[str, keywords(pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")]
LabelValue = Annotated[
    str, keywords(minLength=0, maxLength=63, pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
]
AnnotationValue = Annotated[str, keywords(minLength=0, maxLength=4096)]
DateTime = Annotated[str, keywords(format="date-time")]
#: The type of an address: well known, or prefixed with a domain. (The official pattern does not group them either.)
AddressType = Annotated[
    str, keywords(minLength=1, maxLength=253, pattern=rf"^Hostname|IPAddress|NamedAddress|{_SUBDOMAIN}{_PATH}$")
]

#: Conditions of one object: at most one of each type.
CONDITIONS = keyed("type", 8)


def waiting(*types: str) -> dict[str, Any]:
    """The conditions of an object before a controller has reconciled it."""
    return {
        "conditions": [
            {
                "type": type_,
                "status": "Unknown",
                "reason": "Pending",
                "message": "Waiting for controller",
                "lastTransitionTime": "1970-01-01T00:00:00Z",
            }
            for type_ in types
        ]
    }
