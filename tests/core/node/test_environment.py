"""`$(NAME)`, and what reaches a container's environment."""

from __future__ import annotations

import base64

import pytest

from headgate.api.core import (
    ConfigMap,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    KeySelector,
    NamedSource,
    ObjectFieldSelector,
    Pod,
    Secret,
)
from headgate.api.meta import Key, ObjectMeta
from headgate.node.environment import (
    ConfigSources,
    MissingReferenceError,
    PodNetwork,
    container_environment,
    expand,
    metadata_map,
)

POD = Pod(metadata=ObjectMeta(name="one", namespace="shop", labels={"app.kubernetes.io/name": "web", "b": "2"}))
NETWORK = PodNetwork(pod_ip="127.20.0.3", host_ip="127.0.0.1")
KEY = Key("shop", "c")


def env(
    *variables: EnvVar, sources: ConfigSources | None = None, env_from: tuple[EnvFromSource, ...] = ()
) -> dict[str, str]:
    container = Container(name="app", env=variables, env_from=env_from)
    return container_environment(container, POD, NETWORK, sources or ConfigSources())


def from_map(key: str, *, optional: bool = False) -> EnvVar:
    selector = KeySelector(name="c", key=key, optional=optional)
    return EnvVar(name="A", value_from=EnvVarSource(config_map_key_ref=selector))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(A)", "x1y1"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_references_are_expanded_as_kubernetes_does_it(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_a_variable_sees_those_before_it_only() -> None:
    assert env(EnvVar(name="A", value="$(B)"), EnvVar(name="B", value="$(A)")) == {"A": "$(B)", "B": "$(B)"}


def test_a_label_with_a_slash_can_be_referred_to() -> None:
    source = EnvVarSource(field_ref=ObjectFieldSelector(field_path="metadata.labels['app.kubernetes.io/name']"))
    assert env(EnvVar(name="A", value_from=source)) == {"A": "web"}


def test_an_unknown_field_says_which_are_known() -> None:
    source = EnvVarSource(field_ref=ObjectFieldSelector(field_path="status.phase"))
    with pytest.raises(MissingReferenceError, match=r"status\.podIP"):
        env(EnvVar(name="A", value_from=source))


def test_a_missing_key_says_where_it_was_looked_for() -> None:
    sources = ConfigSources(config_maps={KEY: ConfigMap(data={"x": "1"})})
    with pytest.raises(MissingReferenceError, match="couldn't find key k in ConfigMap shop/c"):
        env(from_map("k"), sources=sources)


def test_an_optional_key_that_is_missing_leaves_the_variable_out() -> None:
    assert env(from_map("k", optional=True)) == {}


def test_a_secret_is_decoded() -> None:
    secret = Secret(data={"k": base64.b64encode(b"value").decode()})
    source = EnvVarSource(secret_key_ref=KeySelector(name="c", key="k"))
    assert env(EnvVar(name="A", value_from=source), sources=ConfigSources(secrets={KEY: secret})) == {"A": "value"}


def test_single_variables_win_over_whole_config_maps() -> None:
    sources = ConfigSources(config_maps={KEY: ConfigMap(data={"A": "map", "B": "map"})})
    whole = EnvFromSource(config_map_ref=NamedSource(name="c"))
    assert env(EnvVar(name="A", value="own"), sources=sources, env_from=(whole,)) == {"A": "own", "B": "map"}


def test_the_text_of_sources_holds_no_secret() -> None:
    assert "dmFsdWU" not in repr(ConfigSources(secrets={KEY: Secret(data={"k": "dmFsdWU="})}))


def test_all_labels_as_a_file_are_quoted_lines() -> None:
    assert metadata_map("metadata.labels", POD) == 'app.kubernetes.io/name="web"\nb="2"'
