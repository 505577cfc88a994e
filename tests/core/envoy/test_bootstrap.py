"""The bootstrap as Envoy's own schema reads it."""

import json

import pytest
from google.protobuf.json_format import ParseDict

from headgate.envoy import bootstrap, names, protos

MADE = bootstrap.bootstrap(
    xds_host="headgate.example",
    xds_port=18000,
    certificates="/etc/headgate/xds",
    admin_socket="/run/admin.sock",
    address="127.0.0.9",
)


def test_it_is_a_bootstrap_of_envoys_schema() -> None:
    message = ParseDict(MADE, protos.Bootstrap())
    assert message.node.metadata["bind"] == "pod"


def test_its_one_door_lets_nothing_through_but_readiness_and_statistics() -> None:
    door = next(each for each in MADE["static_resources"]["listeners"] if each["name"] == "headgate_metrics")
    manager = door["filter_chains"][0]["filters"][0]["typed_config"]
    paths = [route["match"]["path"] for route in manager["route_config"]["virtual_hosts"][0]["routes"]]
    assert paths == ["/ready", "/stats/prometheus"]


def test_the_admin_api_is_on_a_socket_of_its_user_alone() -> None:
    assert MADE["admin"]["address"] == {"pipe": {"path": "/run/admin.sock", "mode": 0o600}}


def test_it_fits_in_one_line() -> None:
    line = bootstrap.bootstrap_json(xds_host="h", xds_port=1, certificates="/c", admin_socket="/s", address="127.0.0.9")
    assert "\n" not in line
    assert json.loads(line)["static_resources"]


def test_the_built_in_cluster_of_invalid_backends_is_in_it() -> None:
    made = {each["name"] for each in MADE["static_resources"]["clusters"]}
    assert made >= names.BUILT_IN_CLUSTERS


@pytest.mark.parametrize("file", [bootstrap.IDENTITY_FILE, bootstrap.TRUST_FILE])
def test_identity_documents_are_secrets_that_envoy_can_read(file: str) -> None:
    document = json.loads(bootstrap.sds_files(b"CA", b"CERT", b"KEY")[file])
    (secret,) = document["resources"]
    secret.pop("@type")
    assert ParseDict(secret, protos.Secret()).name in {"identity", "trust"}


def test_only_a_server_of_our_name_is_trusted() -> None:
    trust = json.loads(bootstrap.sds_files(b"CA", b"CERT", b"KEY")[bootstrap.TRUST_FILE])
    names_wanted = trust["resources"][0]["validation_context"]["match_typed_subject_alt_names"]
    assert names_wanted == [{"san_type": "DNS", "matcher": {"exact": names.XDS_SERVER}}]
