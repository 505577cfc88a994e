"""The functions that Kubernetes adds to CEL (`k8s.io/apiserver/pkg/cel/library`), and the string functions of cel-go.

A method is a function whose first argument is the object. Values that CEL has no type for (an address, a network, a
URL, a quantity, a named format) travel as maps with one private key, in canonical form, so that `==` compares them.
Functions raise `ValueError` with Kubernetes' sentence.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import re2

from headgate.api.quantities import read_quantity

from .language import cel, stdlib

Function = Callable[..., Any]
Boxed = dict[str, Any]

_ADDRESS, _NETWORK, _URL, _QUANTITY, _FORMAT = "\0ip", "\0cidr", "\0url", "\0quantity", "\0format"


def _is(read: Callable[[str], Any]) -> Callable[[str], bool]:
    """Whether a text can be read."""

    def holds(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return holds


# --- addresses --------------------------------------------------------------------------------------------------------


def _ip(text: str) -> Boxed:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"IP Address {text!r} parse error during conversion from string") from None
    if "%" in text or getattr(address, "ipv4_mapped", None):
        raise ValueError(f"IP Address {text!r} is not an address as Kubernetes writes them")
    return {_ADDRESS: str(address)}


def _cidr(text: str) -> Boxed:
    if "/" not in text:
        message = "network address parse error during conversion from string"
        raise ValueError(f"{message}: {message}: netip.ParsePrefix(\"{text}\"): no '/'")
    return {_NETWORK: str(ipaddress.ip_interface(text))}


def _family(boxed: Boxed) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    return ipaddress.ip_interface(boxed.get(_ADDRESS) or boxed[_NETWORK])


def _contains(network: Boxed, other: str | Boxed) -> bool:
    inner = ipaddress.ip_interface(other if isinstance(other, str) else next(iter(other.values()))).network
    outer = _family(network).network
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


_ADDRESSES: dict[str, Function] = {
    "isIP": _is(_ip),
    "ip": _ip,
    "ip.isCanonical": lambda text: str(ipaddress.ip_address(text)) == text,
    "isCIDR": _is(_cidr),
    "cidr": _cidr,
    "family": lambda boxed: _family(boxed).version,
    "isUnspecified": lambda boxed: _family(boxed).ip.is_unspecified,
    "isLoopback": lambda boxed: _family(boxed).ip.is_loopback,
    "isLinkLocalMulticast": lambda boxed: (
        _family(boxed).ip.is_multicast and str(_family(boxed).ip).startswith(("224.0.0.", "ff02:"))
    ),
    "isLinkLocalUnicast": lambda boxed: _family(boxed).ip.is_link_local,
    "isGlobalUnicast": lambda boxed: (
        not (
            _family(boxed).ip.is_unspecified
            or _family(boxed).ip.is_loopback
            or _family(boxed).ip.is_multicast
            or _family(boxed).ip.is_link_local
            or str(_family(boxed).ip) == "255.255.255.255"
        )
    ),
    "containsIP": _contains,
    "containsCIDR": _contains,
    "masked": lambda boxed: {_NETWORK: str(_family(boxed).network)},
    "prefixLength": lambda boxed: _family(boxed).network.prefixlen,
}


# --- URLs -------------------------------------------------------------------------------------------------------------


def _url(text: str) -> Boxed:
    parts = urlsplit(text)
    absolute = parts.scheme and (parts.netloc or parts.path.startswith("/"))
    if not (absolute or text.startswith("/")) or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError(f"URL parse error during conversion from string: parse {text!r}: invalid URI for request")
    return {_URL: text}


def _part(get: Callable[[Any], Any]) -> Function:
    return lambda boxed: get(urlsplit(boxed[_URL]))


_URLS: dict[str, Function] = {
    "isURL": _is(_url),
    "url": _url,
    "getScheme": _part(lambda parts: parts.scheme),
    "getHost": _part(lambda parts: parts.netloc.rpartition("@")[2]),
    "getHostname": _part(lambda parts: parts.hostname or ""),
    "getPort": _part(lambda parts: "" if parts.port is None else str(parts.port)),
    "getEscapedPath": _part(lambda parts: parts.path),
    "getQuery": _part(lambda parts: parse_qs(parts.query, keep_blank_values=True)),
}


# --- quantities -------------------------------------------------------------------------------------------------------


def _quantity(text: str) -> Boxed:
    return _boxed(read_quantity(text))


def _boxed(value: Decimal) -> Boxed:
    return {_QUANTITY: format(value.normalize(), "f")}


def _number(value: Any) -> Decimal:
    return Decimal(value[_QUANTITY]) if isinstance(value, dict) else Decimal(value)


def _as_integer(boxed: Boxed) -> int:
    number = _number(boxed)
    if number != number.to_integral_value():
        raise ValueError("cannot convert value to integer")
    return int(number)


_QUANTITIES: dict[str, Function] = {
    "isQuantity": _is(_quantity),
    "quantity": _quantity,
    "sign": lambda boxed: (_number(boxed) > 0) - (_number(boxed) < 0),
    "isInteger": lambda boxed: _number(boxed) == _number(boxed).to_integral_value(),
    "asInteger": _as_integer,
    "asApproximateFloat": lambda boxed: float(_number(boxed)),
    "add": lambda one, other: _boxed(_number(one) + _number(other)),
    "sub": lambda one, other: _boxed(_number(one) - _number(other)),
    "isLessThan": lambda one, other: _number(one) < _number(other),
    "isGreaterThan": lambda one, other: _number(one) > _number(other),
    "compareTo": lambda one, other: (_number(one) > _number(other)) - (_number(one) < _number(other)),
}


# --- named formats ----------------------------------------------------------------------------------------------------

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"

#: Longest text, pattern, and what Kubernetes calls it.
_FORMATS: dict[str, tuple[int, str, str]] = {
    "dns1123Label": (63, _LABEL, "a lowercase RFC 1123 label"),
    "dns1123Subdomain": (253, _SUBDOMAIN, "a lowercase RFC 1123 subdomain"),
    "dns1035Label": (63, r"[a-z]([-a-z0-9]*[a-z0-9])?", "a DNS-1035 label"),
    "dns1123LabelPrefix": (63, rf"{_LABEL}-?", "a lowercase RFC 1123 label"),
    "dns1123SubdomainPrefix": (253, rf"{_SUBDOMAIN}[-.]?", "a lowercase RFC 1123 subdomain"),
    "dns1035LabelPrefix": (63, r"[a-z]([-a-z0-9]*[a-z0-9])?-?", "a DNS-1035 label"),
    "qualifiedName": (317, rf"({_SUBDOMAIN}/)?{_NAME}", "a qualified name"),
    "labelValue": (63, rf"({_NAME})?", "a label value"),
    "uuid": (36, r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", "a UUID"),
    "byte": (1 << 30, r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", "base64"),
    "date": (10, r"\d{4}-\d\d-\d\d", "a date"),
    "datetime": (64, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "a time"),
    "uri": (1 << 30, r"[A-Za-z][A-Za-z0-9+.-]*:\S*|/\S*", "a URI"),
}


def _validate(boxed: Boxed, text: str) -> Any:
    """Nothing when the text fits, otherwise a list of sentences."""
    longest, pattern, what = _FORMATS[boxed[_FORMAT]]
    found = []
    if len(text) > longest:
        found.append(f"must be no more than {longest} characters")
    if re.fullmatch(pattern, text) is None:
        found.append(f"{what} must match '{pattern}'")
    if boxed[_FORMAT] == "qualifiedName" and len(text.rpartition("/")[2]) > 63:
        found.append("name part must be no more than 63 characters")
    return cel.OptionalValue.of(found) if found else cel.OptionalValue.none()


def _named(name: str) -> Any:
    return cel.OptionalValue.of({_FORMAT: name}) if name in _FORMATS else cel.OptionalValue.none()


_NAMED: dict[str, Function] = {
    "format.named": _named,
    "named": lambda _, name: _named(name),
    "validate": _validate,
    # `format.dns1123Label()` calls the function on the variable `format`, see `programs`.
    **{name: (lambda *_, name=name: {_FORMAT: name}) for name in _FORMATS},
}


# --- texts and lists --------------------------------------------------------------------------------------------------


def _find(text: str, pattern: str) -> str:
    found = re2.search(pattern, text)
    return str(found.group(0)) if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match.group(0) for match in re2.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


def _is_sorted(items: Sequence[Any]) -> bool:
    return all(one <= other for one, other in pairwise(items))


def _least(choose: Callable[[Sequence[Any]], Any]) -> Function:
    def found(items: Sequence[Any]) -> Any:
        if not items:
            raise ValueError(f"{choose.__name__} called on empty list")
        return choose(items)

    return found


def _index(items: Any, item: Any, *offset: int) -> int:
    if isinstance(items, str):
        return items.find(item, *offset)
    return items.index(item) if item in items else -1


def _last_index(items: Any, item: Any) -> int:
    if isinstance(items, str):
        return items.rfind(item)
    return len(items) - 1 - items[::-1].index(item) if item in items else -1


#: What `size` is called where characters are counted and not bytes.
SIZE = "countedSize"
_TEXTS: dict[str, Function] = {
    SIZE: len,
    **stdlib.STDLIB_FUNCTIONS,
    "indexOf": _index,
    "lastIndexOf": _last_index,
    "matches": lambda text, pattern: re2.search(pattern, text) is not None,
    "find": _find,
    "findAll": _find_all,
    "isSorted": _is_sorted,
    "sum": sum,
    "min": _least(min),
    "max": _least(max),
}

# --- the authorizer of admission policies -----------------------------------------------------------------------------

_STEPS = ("group", "resource", "subresource", "namespace", "name", "path", "serviceAccount", "check")
#: `authorizer.group('').resource('pods').check('get').allowed()`: everything is allowed where nothing is forbidden.
_AUTHORIZER: dict[str, Function] = {
    **{step: (lambda *_: {}) for step in (*_STEPS, "fieldSelector", "labelSelector")},
    "allowed": lambda _: True,
    "reason": lambda _: "",
    "errored": lambda _: False,
    "error": lambda _: "",
}

#: Every function by the name that an expression calls it by.
LIBRARY: dict[str, Function] = {**_TEXTS, **_ADDRESSES, **_URLS, **_QUANTITIES, **_NAMED, **_AUTHORIZER}
