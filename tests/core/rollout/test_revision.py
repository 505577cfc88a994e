"""The identity of templates and of configuration."""

from __future__ import annotations

import pytest

from headgate.rollout import revision


def test_the_order_of_keys_and_absent_values_mean_nothing() -> None:
    one = {"metadata": {"creationTimestamp": None, "labels": {"a": "1", "b": "2"}}, "spec": {}}
    two = {"spec": {}, "metadata": {"labels": {"b": "2", "a": "1"}}}
    assert revision.template_hash(one) == revision.template_hash(two)


def test_any_field_is_part_of_the_identity() -> None:
    assert revision.template_hash({"spec": {"hostUsers": False}}) != revision.template_hash({"spec": {}})


def test_flaggers_hashes_are_not_ours() -> None:
    assert not revision.is_ours("85d557f47b")
    assert revision.is_ours(revision.template_hash({}))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"b": "2", "a": "1"}, b'{"a":"1","b":"2"}'),
        ({"html": "<a>&"}, b'{"html":"\\u003ca\\u003e\\u0026"}'),
        ({"umlaut": "ä"}, '{"umlaut":"ä"}'.encode()),
        (None, b"null"),
    ],
)
def test_a_checksum_is_that_of_gos_json(data: dict[str, str] | None, text: bytes) -> None:
    import hashlib  # noqa: PLC0415

    assert revision.checksum(data) == hashlib.sha256(text).hexdigest()[:16]


def test_binary_data_is_part_of_the_checksum() -> None:
    assert revision.checksum({"a": "1"}, {"b": "AA=="}) != revision.checksum({"a": "1"})


def test_a_reference_is_optional_only_if_it_is_so_everywhere() -> None:
    container = {"envFrom": [{"configMapRef": {"name": "a", "optional": True}}, {"secretRef": {"name": "b"}}]}
    volumes = [{"configMap": {"name": "a"}}]
    refs = revision.config_refs({"spec": {"containers": [container], "volumes": volumes}})
    assert [(ref.id, ref.optional) for ref in refs] == [("configmap/a", False), ("secret/b", False)]


@pytest.mark.parametrize(
    ("kind", "obj", "tracked"),
    [
        ("configmap", {"metadata": {}}, True),
        ("configmap", {"metadata": {"annotations": {"flagger.app/config-tracking": "disabled"}}}, False),
        ("secret", {"metadata": {}, "type": "Opaque"}, True),
        ("secret", {"metadata": {}, "type": "kubernetes.io/service-account-token"}, False),
    ],
)
def test_what_is_opted_out_or_no_configuration_is_not_tracked(kind: str, obj: dict[str, object], tracked: bool) -> None:
    assert revision.is_tracked(kind, obj) is tracked
