"""What a type alone cannot say: constraints that go into the schema of a CustomResourceDefinition and nowhere else.

They stand at the fields as `Annotated[..., said(...)]`. Decoding ignores them, because a value that this version does
not know must become a condition on the object, not a decoding error; the API that stores the object enforces them.
"""

from typing import Annotated, Any

from msgspec import Meta

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PATH = r"\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+"


def said(schema: dict[str, Any] | None = None, **more: Any) -> Meta:
    """Words of the schema; those that are no Python names come as a dict."""
    return Meta(extra_json_schema={**(schema or {}), **more})


def atomic(most: int, **more: Any) -> Meta:
    """A list that is replaced as a whole, with at most so many items."""
    return said({"x-kubernetes-list-type": "atomic"}, maxItems=most, **more)


def keyed(key: str, most: int, **more: Any) -> Meta:
    """A list whose entries are told apart by a field."""
    return said({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}, maxItems=most, **more)


def unique(most: int | None = None) -> Meta:
    """A list that holds each value once."""
    return said({"x-kubernetes-list-type": "set"} | ({} if most is None else {"maxItems": most}))


def one_of(*values: str | int) -> Meta:
    """An enumeration."""
    return said(enum=list(values))


#: The field must be there though our type has a default for it.
REQUIRED = Meta(extra={"required": True})

#: The field is there in the experimental channel only.
EXPERIMENTAL = Meta(extra={"experimental": True})


def experimental(**words: Any) -> Meta:
    """Words of the schema that only the experimental channel says; they come over those of both channels."""
    return Meta(extra={"experimental words": words})


GroupName = Annotated[str, said(maxLength=253, pattern=rf"^$|^{_SUBDOMAIN}$")]
#: A group that the API sets to the core group when it is not given.
CoreGroup = Annotated[str, said(default="", maxLength=253, pattern=rf"^$|^{_SUBDOMAIN}$")]
KindName = Annotated[str, said(minLength=1, maxLength=63, pattern=r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")]
ObjectName = Annotated[str, said(minLength=1, maxLength=253)]
NamespaceName = Annotated[str, said(minLength=1, maxLength=63, pattern=rf"^{_LABEL}$")]
SectionName = Annotated[str, said(minLength=1, maxLength=253, pattern=rf"^{_SUBDOMAIN}$")]
PortNumber = Annotated[int, said(format="int32", minimum=1, maximum=65535)]
Int32 = Annotated[int, said(format="int32")]
Count = Annotated[int, said(format="int32", minimum=0)]
#: A hostname, perhaps with a wildcard as its first label.
Hostname = Annotated[str, said(minLength=1, maxLength=253, pattern=rf"^(\*\.)?{_SUBDOMAIN}$")]
PreciseHostname = Annotated[str, said(minLength=1, maxLength=253, pattern=rf"^{_SUBDOMAIN}$")]
#: `example.com/name`: whose controller it is.
DomainPath = Annotated[str, said(minLength=1, maxLength=253, pattern=rf"^{_SUBDOMAIN}{_PATH}$")]
HeaderName = Annotated[str, said(minLength=1, maxLength=256, pattern=r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$")]
HeaderValue = Annotated[str, said(minLength=1, maxLength=4096)]
#: Gateway API's durations: `1h30m`, `500ms`.
GatewayDuration = Annotated[str, said(pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")]
LabelValue = Annotated[str, said(minLength=0, maxLength=63, pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")]
AnnotationValue = Annotated[str, said(minLength=0, maxLength=4096)]
DateTime = Annotated[str, said(format="date-time")]
#: The type of an address: well known, or prefixed with a domain. (The official pattern does not group them either.)
AddressType = Annotated[
    str, said(minLength=1, maxLength=253, pattern=rf"^Hostname|IPAddress|NamedAddress|{_SUBDOMAIN}{_PATH}$")
]

#: Conditions of one object: at most one of each type.
CONDITIONS = keyed("type", 8)


def waiting(*types: str) -> dict[str, Any]:
    """The conditions that an object has before a controller has seen it."""
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
