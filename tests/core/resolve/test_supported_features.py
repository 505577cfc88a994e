"""The features that a GatewayClass reports, by the installed CRDs."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from headgate.api import codec
from headgate.api.definitions import CustomResourceDefinition, served
from headgate.resolve.gateways.supported_features import SUPPORTED, supported_features
from support import tools


def defined(release: str) -> Mapping[str, frozenset[str]]:
    """The fields of each kind of an official release, as an API would serve it."""
    found = {}
    for file in sorted(Path(tools.crds(release)).glob("*s.yaml")):
        for document in yaml.load_all(file.read_text(), yaml.CSafeLoader):
            if document["kind"] != "CustomResourceDefinition":
                continue
            document["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
            definition = codec.convert(CustomResourceDefinition, document)
            kind = next(each for each in codec.KINDS if each.kind == definition.spec.names.kind)
            if (serving := served(definition, (kind.version, *kind.other_versions))) is not None:
                found[kind.kind] = serving.fields
    return found


def test_features_are_listed_once_in_ascending_order() -> None:
    assert list(SUPPORTED) == sorted(set(SUPPORTED))


def test_without_known_crds_every_feature_is_supported() -> None:
    assert supported_features(None) == SUPPORTED


#: They need more than the definitions of the standard channel.
EXPERIMENTAL = {
    "ClusterTrustBundle",
    "GatewayAddressRoutability",
    "GatewayAddressRoutabilityCluster",
    "GatewayListenerFilters",
}


def test_with_the_crds_of_v1_7_every_feature_of_the_standard_channel_is_supported() -> None:
    found = supported_features(defined("gateway-api-v1.7.0/standard"))
    assert found == tuple(name for name in SUPPORTED if name not in EXPERIMENTAL)


@pytest.mark.parametrize(
    ("release", "absent"),
    [
        ("gateway-api-v1.3.0/standard", ("BackendTLSPolicy", "ListenerSet", "TLSRoute", "TCPRoute", "UDPRoute")),
        ("gateway-api-v1.3.0/standard", ("HTTPRouteRetry", "HTTPRouteCORS", "HTTPRouteNamedRouteRule")),
        ("gateway-api-v1.3.0/standard", ("GatewayBackendClientCertificate", "GatewayFrontend")),
        ("gateway-api-v1.6.3/standard", ("HTTPRouteRetry",)),
    ],
)
def test_features_that_an_older_release_does_not_have_are_not_supported_there(
    release: str, absent: tuple[str, ...]
) -> None:
    assert [name for name in supported_features(defined(release)) if name.startswith(absent)] == []


def test_features_that_an_older_release_has_are_supported_there() -> None:
    found = supported_features(defined("gateway-api-v1.3.0/standard"))
    assert {"Gateway", "HTTPRoute", "HTTPRouteRequestPercentageMirror", "ReferenceGrant"} <= set(found)


def test_without_a_kind_none_of_its_features_are_supported() -> None:
    assert [
        name for name in supported_features({"Gateway": frozenset({"spec.infrastructure"})}) if "Route" in name
    ] == ["GatewayRouteHostnameIntersectionPrecedence"]
