"""A certificate that Envoy rejects is reported on the listeners that use it, and only there."""

from __future__ import annotations

from golden import cases as golden
from headgate.api.meta import Condition, Key

GATEWAY = Key("shop", "shared")
SECRET = Key("shop", "example-tls")


def world() -> golden.Running:
    return golden.running(golden.read(golden.FOLDER / "serve" / "https.in.yaml"))


def programmed(made: golden.Running, listener: str) -> Condition:
    status = made.outputs.gateway_statuses.get(GATEWAY)
    assert status is not None
    (found,) = [each for each in status.listeners if each.name == listener]
    return next(each for each in found.conditions if each.type == "Programmed")


def test_a_rejected_certificate_is_reported_on_its_listener() -> None:
    made = world()
    made.facts.refused_secrets.set((GATEWAY, SECRET), "Failed to load certificate chain")
    made.run()
    found = programmed(made, "shop")
    assert (found.status, found.reason) == ("False", "Invalid")
    message = "Envoy rejected the certificate of Secret shop/example-tls: Failed to load certificate chain"
    assert found.message == message


def test_listeners_with_other_certificates_stay_programmed() -> None:
    made = world()
    made.facts.refused_secrets.set((GATEWAY, SECRET), "Failed to load certificate chain")
    made.run()
    assert {programmed(made, name).status for name in ("http", "wild", "granted")} == {"True"}


def test_a_certificate_that_is_accepted_later_programs_the_listener() -> None:
    made = world()
    made.facts.refused_secrets.set((GATEWAY, SECRET), "Failed to load certificate chain")
    made.run()
    made.facts.refused_secrets.delete((GATEWAY, SECRET))
    made.run()
    assert programmed(made, "shop").status == "True"
