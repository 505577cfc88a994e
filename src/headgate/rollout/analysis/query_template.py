"""The placeholders of metric queries: the part of Go's templates that queries use.

`{{ name }}`, `{{ namespace }}`, `{{ target }}`, `{{ service }}`, `{{ ingress }}`, `{{ route }}`, `{{ interval }}`,
`{{ variables.x }}`, comments, and the trim markers `{{-` and `-}}`. Anything else is refused by name.
"""

import re
from collections.abc import Mapping

import msgspec

from headgate.api.delivery import Canary, CanaryMetric

_ACTION = re.compile(
    r"(?P<before>[ \t\r\n]*)\{\{(?P<left>-[ \t\r\n])?(?P<body>.*?)(?P<right>[ \t\r\n]-)?\}\}", re.DOTALL
)
_COMMENT = re.compile(r"^\s*/\*.*\*/\s*$", re.DOTALL)
_VARIABLE = re.compile(r"^variables\.(?P<key>[A-Za-z_]\w*)$")


class TemplateError(ValueError):
    """A query with a placeholder that cannot be filled."""


class TemplateVariables(msgspec.Struct, frozen=True):
    """The values of the placeholders."""

    name: str
    namespace: str
    target: str
    service: str
    interval: str
    ingress: str = ""
    route: str = ""
    variables: Mapping[str, str] = {}


def template_variables(canary: Canary, metric: CanaryMetric) -> TemplateVariables:
    """The values for one metric of a Canary; a metric without interval looks back one minute."""
    spec = canary.spec
    return TemplateVariables(
        name=canary.metadata.name,
        namespace=canary.metadata.namespace,
        target=spec.target_ref.name,
        service=(spec.service.name if spec.service else None) or spec.target_ref.name,
        interval=metric.interval or "1m",
        ingress=spec.ingress_ref.name if spec.ingress_ref else "",
        route=spec.route_ref.name if spec.route_ref else "",
        variables=metric.template_variables,
    )


def render(query: str, variables: TemplateVariables) -> str:
    """Fills in the placeholders. Raises `TemplateError`."""
    parts: list[str] = []
    end = 0
    trim = False
    for action in _ACTION.finditer(query):
        literal = query[end : action.start()] + action["before"]
        literal = literal.lstrip(" \t\r\n") if trim else literal
        parts += [literal.rstrip(" \t\r\n") if action["left"] else literal, _fill(action["body"], variables)]
        trim, end = bool(action["right"]), action.end()
    rest = query[end:].lstrip(" \t\r\n") if trim else query[end:]
    if "{{" in rest:
        raise TemplateError(f"unclosed action {rest[rest.index('{{') :][:40]!r}")
    return "".join(parts) + rest


def _fill(action: str, variables: TemplateVariables) -> str:
    if _COMMENT.match(action):
        return ""
    action = action.strip()
    if variable := _VARIABLE.match(action):
        key = variable["key"]
        if key not in variables.variables:
            raise TemplateError(f"templateVariables has no key {key!r}")
        return variables.variables[key]
    if action in ("name", "namespace", "target", "service", "interval", "ingress", "route"):
        return str(getattr(variables, action))
    known = "name, namespace, target, service, ingress, route, interval and variables.<key> are"
    raise TemplateError(f"{{{{ {action} }}}} is not supported in a query; {known}")
