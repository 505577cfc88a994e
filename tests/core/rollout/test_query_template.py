"""Placeholders of metric queries."""

from __future__ import annotations

import pytest

from headgate.rollout.analysis.query_template import TemplateError, TemplateVariables, render

VARIABLES = TemplateVariables(
    name="canary", namespace="test", target="podinfo", service="shop", interval="30s", variables={"code": "5.."}
)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("{{ name }}.{{ namespace }}", "canary.test"),
        ("{{target}}-canary[{{ interval }}]", "podinfo-canary[30s]"),
        ('code=~"{{ variables.code }}"', 'code=~"5.."'),
        ("a {{- name -}} b", "acanaryb"),
        ("a {{ name -}}\n  {{- service }}", "a canaryshop"),
        ("a{{/* why */}}b", "ab"),
        ("no placeholders {x}", "no placeholders {x}"),
        ("{{ ingress }}|{{ route }}", "|"),
    ],
)
def test_placeholders_are_filled(query: str, text: str) -> None:
    assert render(query, VARIABLES) == text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{{ if name }}x{{ end }}", "if name"),
        ("{{ variables.missing }}", "templateVariables has no key 'missing'"),
        ("{{ primary }}", "{{ primary }} is not supported in a query; name, namespace"),
        ("{{ name", "unclosed action"),
    ],
)
def test_anything_else_is_refused_by_name(query: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message.replace("{", r"\{").replace("}", r"\}")):
        render(query, VARIABLES)
