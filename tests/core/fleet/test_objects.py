import dataclasses
import json

from headgate.api import codec
from headgate.api.meta import Key
from headgate.fleet import Envoys, Settings, names, objects
from headgate.fleet.objects import Workload

SETTINGS = Settings(xds_address="headgate.headgate-system.svc:18000")


def envoys(name: str = "shared", *ports: int, class_name: str = "envoy") -> Envoys:
    return Envoys(
        gateway=Key("infra", name),
        uid="1234",
        api_version="gateway.networking.k8s.io/v1",
        class_name=class_name,
        controller="headgate.dev/gateway-controller",
        ports=tuple(("TCP", port) for port in ports),
    )


def made(of: Envoys, identity: dict[str, bytes] | None = None) -> Workload:
    return objects(of, SETTINGS, identity or {})


def test_the_objects_are_named_after_the_gateway_and_its_class() -> None:
    assert made(envoys("shared", 80)).deployment.metadata.name == "shared-envoy"


def test_a_name_that_is_no_dns_label_gets_a_hash_and_stays_within_63_characters() -> None:
    long = names.resource_name(Key("infra", "a" * 253), "envoy")
    dotted = names.resource_name(Key("infra", "1.example.com"), "envoy")
    assert len(long) == 63
    assert "." not in dotted
    assert dotted[0].isalpha()


def test_two_gateways_whose_names_only_differ_in_the_cut_part_get_different_objects() -> None:
    one, other = ("a" * 100 + end for end in ("1", "2"))
    assert names.resource_name(Key("infra", one), "c") != names.resource_name(Key("infra", other), "c")


def test_everything_is_owned_by_the_gateway() -> None:
    workload = made(envoys("shared", 80))
    for each in (workload.secret, workload.service_account, workload.service, workload.deployment):
        assert each is not None
        assert [(o.kind, o.name, o.uid, o.controller) for o in each.metadata.owner_references] == [
            ("Gateway", "shared", "1234", True)
        ]


def test_a_new_listener_changes_the_service_and_not_the_pods() -> None:
    before, after = made(envoys("shared", 80)), made(envoys("shared", 80, 443))
    assert before.deployment == after.deployment
    assert before.service != after.service


def test_a_number_may_be_a_port_of_tcp_and_of_udp() -> None:
    both = dataclasses.replace(envoys("shared"), ports=(("TCP", 53), ("UDP", 53)))
    service = made(both).service
    assert service is not None
    assert [(each.name, each.protocol, each.port) for each in service.spec.ports] == [
        ("tcp-53", "TCP", 53),
        ("udp-53", "UDP", 53),
    ]


def test_a_gateway_without_a_port_to_serve_has_no_envoys() -> None:
    nothing, some = made(envoys("shared")), made(envoys("shared", 80))
    assert (nothing.service, nothing.deployment.spec.replicas) == (None, 0)
    assert some.deployment.spec.replicas == SETTINGS.replicas


def test_an_address_of_the_gateway_is_requested_from_the_load_balancer() -> None:
    asked = made(dataclasses.replace(envoys("shared", 80), addresses=("192.0.2.1",))).service
    free = made(envoys("shared", 80)).service
    assert asked is not None
    assert free is not None
    assert (asked.spec.load_balancer_ip, free.spec.load_balancer_ip) == ("192.0.2.1", None)


def test_there_is_no_service_before_the_first_valid_listener() -> None:
    assert made(envoys()).service is None


def test_the_container_takes_a_bootstrap_that_is_json_and_names_the_controller() -> None:
    args = made(envoys("shared", 80)).deployment.spec.template.spec.containers[0].args
    bootstrap = json.loads(args[args.index("--config-yaml") + 1])
    assert "headgate.headgate-system.svc" in json.dumps(bootstrap["static_resources"])


def test_no_byte_of_a_key_is_in_a_repr() -> None:
    workload = made(envoys("shared", 80), {"tls.key": b"very secret"})
    assert "dmVyeSBzZWNyZXQ" not in repr(workload)
    assert workload.secret.data == {"tls.key": "dmVyeSBzZWNyZXQ="}


def test_the_objects_survive_the_wire() -> None:
    deployment = made(envoys("shared", 80)).deployment
    assert codec.decode(type(deployment), codec.encode(deployment)) == deployment
