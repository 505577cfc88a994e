"""CEL rules of Headgate's own Gateway API definitions.

A rule is attached by the shape of the schema, so it exists once for HTTPRoute, GRPCRoute and others: a list of
`parentRefs`, a union of a `type` and one field per type, a reference to a backend. The requirements are those of the
specification; the messages name the problem and a remedy.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]
_RULES = "x-kubernetes-validations"

_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
#: Filters that a list may contain more than once.
_REPEATED = frozenset({"RequestMirror", "ExtensionRef", "ExternalAuth"})
#: Types whose field is not the type in lower camel case.
_FIELDS = {"CORS": "cors", "URLRewrite": "urlRewrite", "URI": "uri", "GRPC": "grpc", "HTTP": "http"}


def add(schema: Mapping[str, Any], kind: str) -> Schema:
    """Add the rules to the schema of a kind."""
    found = copy.deepcopy(dict(schema))
    _walk(found, "", kind)
    return found


def _walk(schema: Schema, name: str, kind: str) -> None:
    rules = [
        {"rule": rule, "message": message} for found in _SHAPES for rule, message in found(schema, name, kind) if rule
    ]
    if rules:
        schema[_RULES] = rules
    for child, inner in schema.get("properties", {}).items():
        _walk(inner, child, kind)
    if isinstance(items := schema.get("items"), dict):
        _walk(items, f"{name}[]", kind)


Rules = Iterator[tuple[str, str]]


def _field(type_: str) -> str:
    return _FIELDS.get(type_) or type_[0].lower() + type_[1:]


def _exactly(field: str, discriminator: str, value: str) -> tuple[str, str]:
    rule = f"has(self.{field}) == (self.{discriminator} == '{value}')"
    return rule, f"{field} is there if {discriminator} is {value}, and only then"


# --- unions -----------------------------------------------------------------------------------------------------------

_UNIONS = {
    "filters[]": "type",
    "requests[]": "type",
    "path": "type",
    "externalAuth": "protocol",
    "sessionPersistence": "type",
    "subjectAltNames[]": "type",
}


def _union(schema: Schema, name: str, kind: str) -> Rules:
    """An object whose discriminator selects one of its other fields."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    discriminator = _UNIONS.get(name, "")
    for value in properties.get(discriminator, {}).get("enum", ()):
        if _field(value) in properties:
            yield _exactly(_field(value), discriminator, value)


def _filters(schema: Schema, name: str, kind: str) -> Rules:
    """A list of filters: most types once, and either a redirect or a rewrite."""
    if name != "filters" or "items" not in schema:
        return
    types = schema["items"]["properties"]["type"].get("enum", ())
    for type_ in types:
        if type_ not in _REPEATED:
            yield f"self.filter(f, f.type == '{type_}').size() <= 1", f"{type_} may stand here once"
    if "RequestRedirect" in types and "URLRewrite" in types:
        yield (
            "!(self.exists(f, f.type == 'RequestRedirect') && self.exists(f, f.type == 'URLRewrite'))",
            "what is redirected is not rewritten: use RequestRedirect or URLRewrite",
        )


# --- references -------------------------------------------------------------------------------------------------------


def _backend(schema: Schema, name: str, kind: str) -> Rules:
    if name in {"backendRef", "backendRefs[]"} and "port" in schema.get("properties", {}):
        yield (
            "self.group != '' || self.kind != 'Service' || has(self.port)",
            "port is missing: a Service is a backend with one of its ports",
        )
        yield (
            "self.group != 'gateway.networking.x-k8s.io' || self.kind != 'XBackend' || !has(self.port)",
            "port must not be there: an XBackend says its port itself",
        )


def _unset(item: str, field: str, zero: str) -> str:
    return f"(!has({item}.{field}) || {item}.{field} == {zero})"


def _same(field: str, zero: str) -> str:
    """Whether `a` and `b` have the same value of an optional field."""
    both = f"has(a.{field}) && has(b.{field}) && a.{field} == b.{field}"
    return f"(({both}) || ({_unset('a', field, zero)} && {_unset('b', field, zero)}))"


def _parents(schema: Schema, name: str, kind: str) -> Rules:
    """References to parents, or targets of a policy: distinct, and either sections of a parent or the whole parent."""
    if name not in {"parentRefs", "targetRefs"} or "sectionName" not in schema["items"]["properties"]:
        return
    fields = [("sectionName", "''")] + ([("port", "0")] if "port" in schema["items"]["properties"] else [])
    place = f" && {_same('__namespace__', chr(39) * 2)}" if name == "parentRefs" else ""
    one = f"a.group == b.group && a.kind == b.kind && a.name == b.name{place}"
    alike = " && ".join(_same(*field) for field in fields)
    words = " or ".join(field for field, _ in fields)
    yield (
        f"self.all(a, self.exists_one(b, {one} && {alike}))",
        f"each of {name} is there once: tell those to one object apart by {words}",
    )
    equally = " && ".join(f"{_unset('a', *field)} == {_unset('b', *field)}" for field in fields)
    yield (
        f"self.all(a, self.all(b, !({one}) || ({equally})))",
        f"where {name} name one object twice, each has {words}",
    )


# --- rules of routes --------------------------------------------------------------------------------------------------

_PREFIX_REWRITES = " || ".join(
    f"has(f.{filter_}) && has(f.{filter_}.path) && f.{filter_}.path.type == 'ReplacePrefixMatch'"
    for filter_ in ("requestRedirect", "urlRewrite")
)
_ONE_PREFIX = "size(self.matches) == 1 && has(self.matches[0].path) && self.matches[0].path.type == 'PathPrefix'"


def _route_rules(schema: Schema, name: str, kind: str) -> Rules:
    if name == "rules" and "matches" in schema["items"]["properties"]:
        yield (
            "self.all(a, !has(a.name) || self.exists_one(b, has(b.name) && a.name == b.name))",
            "names of rules are unique within a route",
        )
        most = schema.get("maxItems", 16)
        sizes = (
            f"(self.size() > {place} && has(self[{place}].matches) ? self[{place}].matches.size() : 0)"
            for place in range(most)
        )
        yield f"{' + '.join(sizes)} <= 128", "all rules of a route together have 128 matches at most"
    if name == "rules[]" and kind == "HTTPRoute":
        yield (
            "!has(self.backendRefs) || size(self.backendRefs) == 0 || !has(self.filters) "
            "|| self.filters.all(f, !has(f.requestRedirect))",
            "a rule that redirects has no backendRefs",
        )
        why = "ReplacePrefixMatch needs exactly one match in its rule, of a path with the type PathPrefix"
        yield f"!has(self.filters) || !self.filters.exists(f, {_PREFIX_REWRITES}) || {_ONE_PREFIX}", why
        inner = f"has(b.filters) && b.filters.exists(f, {_PREFIX_REWRITES})"
        yield f"!has(self.backendRefs) || !self.backendRefs.exists(b, {inner}) || {_ONE_PREFIX}", why


_WORD = "[a-z_][a-z_0-9]*"
_LITERAL = "self.type != 'Exact' && self.type != 'PathPrefix'"
_METHOD = "has(self.type) && self.type != 'Exact'"


def _matches(schema: Schema, name: str, kind: str) -> Rules:
    properties = schema.get("properties", {})
    if name == "path" and "RegularExpression" in properties.get("type", {}).get("enum", ()):
        for test, why in (
            ("self.value.startsWith('/')", "begins with /"),
            (
                "!['//', '/./', '/../', '%2f', '%2F', '#'].exists(part, self.value.contains(part))",
                "is normalised: it has no //, /./, /../, %2F and #",
            ),
            ("!self.value.endsWith('/..') && !self.value.endsWith('/.')", "does not end with /. or /.."),
            (
                r"""self.value.matches("^([-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$")""",
                "has letters, digits, -._~!$&'()*+,;=:@ and percent-encoded bytes",
            ),
        ):
            yield f"{_LITERAL} || {test}", f"a path of the type Exact or PathPrefix {why}"
    if name == "method" and "service" in properties:
        yield "has(self.service) || has(self.method)", "a match of a method has a service, a method or both"
        yield (
            rf"{_METHOD} || !has(self.service) || self.service.matches('^(?i)\\.?{_WORD}(\\.{_WORD})*$')",
            "service is a name as protobuf has it, such as a.package.Service",
        )
        yield (
            f"{_METHOD} || !has(self.method) || self.method.matches('^[A-Za-z_][A-Za-z_0-9]*$')",
            "method is a name as protobuf has it: letters, digits and _",
        )


def _limits(schema: Schema, name: str, kind: str) -> Rules:
    """Fields of which one limits or excludes the other."""
    properties = schema.get("properties", {})
    if "numerator" in properties and "denominator" in properties:
        yield "self.numerator <= self.denominator", "numerator is at most denominator"
    if name == "requestMirror":
        yield "!(has(self.percent) && has(self.fraction))", "percent and fraction exclude each other"
    if name in {"allowOrigins", "allowMethods", "allowHeaders"}:
        yield "!('*' in self) || self.size() == 1", f"* in {name} means all of them: nothing else stands beside it"
    if name == "timeouts" and "backendRequest" in properties:
        yield (
            "!has(self.request) || !has(self.backendRequest) || duration(self.request) == duration('0s') "
            "|| duration(self.backendRequest) <= duration(self.request)",
            "backendRequest is at most request, which it is a part of",
        )


# --- Gateways ---------------------------------------------------------------------------------------------------------


def _listeners(schema: Schema, name: str, kind: str) -> Rules:
    if name != "listeners" or "protocol" not in schema.get("items", {}).get("properties", {}):
        return
    yield (
        "self.all(l, !(l.protocol in ['HTTP', 'TCP', 'UDP']) || !has(l.tls))",
        "tls is for the protocols HTTPS and TLS",
    )
    yield (
        "self.all(l, l.protocol != 'HTTPS' || !has(l.tls) || !has(l.tls.mode) || l.tls.mode in ['', 'Terminate'])",
        "HTTPS is terminated by the Gateway: tls.mode is Terminate, or the protocol is TLS",
    )
    yield (
        "self.all(l, l.protocol != 'TLS' || (has(l.tls) && has(l.tls.mode) && l.tls.mode != ''))",
        "a listener of the protocol TLS says its tls.mode: Terminate or Passthrough",
    )
    yield (
        "self.all(l, !(l.protocol in ['TCP', 'UDP']) || !has(l.hostname) || l.hostname == '')",
        "hostname is not for the protocols TCP and UDP, which carry none",
    )
    yield (
        "self.all(a, !has(a.port) || self.exists_one(b, has(b.port) && a.port == b.port && a.protocol == b.protocol "
        "&& has(a.hostname) == has(b.hostname) && (!has(a.hostname) || a.hostname == b.hostname)))",
        "listeners differ in port, protocol or hostname",
    )


def _gateways(schema: Schema, name: str, kind: str) -> Rules:
    properties = schema.get("properties", {})
    if name == "tls" and "certificateRefs" in properties:
        yield (
            "!has(self.mode) || self.mode != 'Terminate' || (has(self.certificateRefs) "
            "&& size(self.certificateRefs) > 0) || (has(self.options) && size(self.options) > 0)",
            "to terminate TLS takes certificateRefs (or options of the implementation)",
        )
    if name == "addresses" and kind == "Gateway" and "maxItems" in schema:
        for type_ in ("IPAddress", "Hostname"):
            yield (
                f"self.all(a, a.type != '{type_}' || !has(a.value) || self.exists_one(b, b.type == a.type "
                "&& has(b.value) && b.value == a.value))",
                f"each {type_} of addresses is there once",
            )
    if name == "addresses[]" and kind == "Gateway":
        yield (
            rf"self.type != 'Hostname' || !has(self.value) || self.value.matches('^(\\*\\.)?{_NAME}$')",
            "the value of a Hostname is a DNS name, perhaps with *. before it",
        )
    if name == "perPort":
        yield "self.all(a, self.exists_one(b, a.port == b.port))", "each port is there once"
    if name in {"labels", "annotations"} and kind == "Gateway" and "maxProperties" in schema:
        yield (
            rf"self.all(key, key.matches('^({_NAME}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]$') "
            "&& key.split('/')[0].size() < 253)",
            f"a key of {name} is a name of 63 characters at most, perhaps with a DNS name and / before it",
        )


def _others(schema: Schema, name: str, kind: str) -> Rules:
    properties = schema.get("properties", {})
    if name == "controllerName" and kind == "GatewayClass":
        yield "self == oldSelf", "controllerName cannot be changed: make another class"
    if name == "hostnames" and kind == "TLSRoute":
        yield "self.all(h, !isIP(h))", "a hostname is no address: SNI carries names only"
    if name == "validation" and "wellKnownCACertificates" in properties:
        yield (
            "has(self.caCertificateRefs) != has(self.wellKnownCACertificates)",
            "either caCertificateRefs or wellKnownCACertificates says whom to trust",
        )


_SHAPES = (
    _union,
    _filters,
    _backend,
    _parents,
    _route_rules,
    _matches,
    _limits,
    _listeners,
    _gateways,
    _others,
)
