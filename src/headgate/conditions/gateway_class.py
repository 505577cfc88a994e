"""What a GatewayClass is told (`apis/v1/gatewayclass_types.go`)."""

from headgate.api.meta import Condition

from .saying import say

ACCEPTED = "Accepted"


def accepted() -> Condition:
    """We serve the Gateways of this class."""
    return say(ACCEPTED, True, "Accepted", "Headgate serves the Gateways of this class")


def invalid_parameters(kind: str, name: str) -> Condition:
    """The class points to parameters, and we know none."""
    return say(
        ACCEPTED,
        False,
        "InvalidParameters",
        f"spec.parametersRef: {kind} {name!r} is not something that Headgate reads; leave parametersRef out",
    )
