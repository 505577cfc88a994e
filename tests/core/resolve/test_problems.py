"""Problems as an output: what an offline check and the reference barrier read of them."""

from __future__ import annotations

import pytest

from golden import cases as golden
from headgate.api import core
from headgate.api.meta import Key, Object, ObjectMeta, Ref
from headgate.api.problems import Problem, about
from headgate.conditions import condition_from
from headgate.conditions import http_route as route_conditions
from laws import routing_worlds as worlds

ROUTE = Ref("HTTPRoute", "shop", "web")
GATEWAY = Ref("Gateway", "shop", "gate")
CASES = golden.cases("serve") + golden.cases("stream")


def gateway(**listener: object) -> Object:
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"} | listener]
    return worlds.gateway_api(
        "Gateway", GATEWAY.name, "shop", {"gatewayClassName": golden.CLASS, "listeners": listeners}, generation=1
    )


def route(service: str = "web", namespace: str = "shop", parent: str = "gate") -> Object:
    rules = [{"backendRefs": [{"name": service, "namespace": namespace, "port": 80}]}]
    spec = {"parentRefs": [{"name": parent}], "rules": rules}
    return worlds.gateway_api("HTTPRoute", ROUTE.name, "shop", spec, generation=1)


def service(name: str = "web") -> Object:
    return core.Service(
        metadata=ObjectMeta(name=name, namespace="shop"), spec=core.ServiceSpec(ports=(core.ServicePort(port=80),))
    )


def world(*objects: Object) -> golden.Running:
    made = golden.empty()
    for value in (golden.gateway_class(), *objects):
        made.put(value)
    return made.run()


def problems(made: golden.Running, subject: Ref = ROUTE) -> tuple[Problem, ...]:
    return made.outputs.problems.get(subject) or ()


def test_a_valid_object_has_no_problems() -> None:
    assert dict(world(gateway(), service(), route()).outputs.problems.items()) == {}


def test_a_missing_backend_is_the_reference_of_the_problem_of_its_route() -> None:
    (problem,) = problems(world(gateway(), route()))
    assert problem.subject == ROUTE
    assert problem.path == "spec.rules[0].backendRefs[0]"
    assert problem.reference == Ref("Service", "shop", "web")
    assert (problem.condition, problem.reason, problem.severity) == ("ResolvedRefs", "BackendNotFound", "error")


def test_the_problem_goes_with_the_missing_object() -> None:
    made = world(gateway(), route())
    made.put(service())
    assert problems(made.run()) == ()


def test_an_object_of_another_namespace_is_the_reference_whether_it_exists_or_not() -> None:
    (problem,) = problems(world(gateway(), route(namespace="bank")))
    assert (problem.reason, problem.reference) == ("RefNotPermitted", Ref("Service", "bank", "web"))


def test_a_problem_without_a_reference_has_none() -> None:
    (problem,) = problems(world(gateway(protocol="SMTP")), GATEWAY)
    assert (problem.path, problem.reason, problem.reference) == (
        "spec.listeners[0].protocol",
        "UnsupportedProtocol",
        None,
    )


def test_a_route_of_another_controller_has_the_problems_of_its_rules() -> None:
    made = world(route(parent="elsewhere"))
    assert made.outputs.route_statuses.get(ROUTE) is None
    assert [problem.reason for problem in problems(made)] == ["BackendNotFound"]


def test_the_problem_of_a_certificate_belongs_to_the_owner_of_the_listener() -> None:
    tls = {"certificateRefs": [{"name": "cert"}]}
    (problem,) = problems(world(gateway(protocol="HTTPS", port=443, tls=tls)), GATEWAY)
    assert (problem.subject, problem.reference) == (GATEWAY, Ref("Secret", "shop", "cert"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_problem_is_listed_once_under_its_subject(case: golden.Case) -> None:
    for subject, found in golden.running(case).outputs.problems.items():
        assert {problem.subject for problem in found} == {subject}
        assert len(set(found)) == len(found) > 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_status_of_a_route_has_the_messages_of_its_problems(case: golden.Case) -> None:
    made = golden.running(case)
    for ref, entries in made.outputs.route_statuses.items():
        resolved = condition_from(route_conditions.refs_resolved(), problems(made, ref))
        for entry in entries:
            reported = next(each for each in entry.conditions if each.type == resolved.type)
            assert (reported.status, reported.reason, reported.message) == (
                resolved.status,
                resolved.reason,
                resolved.message,
            )


def test_a_mode_that_admits_clients_without_a_certificate_is_a_warning() -> None:
    spec = {
        "gatewayClassName": golden.CLASS,
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        "tls": {
            "frontend": {
                "default": {
                    "validation": {
                        "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}],
                        "mode": "AllowInsecureFallback",
                    }
                }
            }
        },
    }
    (problem,) = problems(world(worlds.gateway_api("Gateway", "gate", "shop", spec, generation=1)), GATEWAY)
    assert (problem.path, problem.severity) == ("spec.tls.frontend.default.validation.mode", "warning")


def test_a_problem_keeps_the_subject_that_it_has() -> None:
    problem = Problem("spec", "Invalid", "is missing; set it")
    (of_gateway,) = about(GATEWAY, [problem])
    assert about(ROUTE, [of_gateway]) == (of_gateway,)
    assert str(of_gateway) == "spec: is missing; set it"


def test_a_certificate_for_backends_is_a_problem_of_the_gateway() -> None:
    spec = {
        "gatewayClassName": golden.CLASS,
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        "tls": {"backend": {"clientCertificateRef": {"name": "client"}}},
    }
    made = world(worlds.gateway_api("Gateway", "gate", "shop", spec, generation=1))
    (problem,) = problems(made, GATEWAY)
    assert (problem.path, problem.reason) == (
        "spec.tls.backend.clientCertificateRef",
        "InvalidClientCertificateRef",
    )
    assert made.outputs.gateway_statuses.get(Key("shop", "gate")) is not None
