"""What a GatewayClass is told (`apis/v1/gatewayclass_types.go`)."""

from collections.abc import Mapping

from headgate.api.meta import Condition

from .build import new_condition

ACCEPTED = "Accepted"
SUPPORTED_VERSION = "SupportedVersion"


def accepted() -> Condition:
    """We serve the Gateways of this class."""
    return new_condition(ACCEPTED, True, "Accepted", "Headgate serves the Gateways of this class")


def invalid_parameters(kind: str, name: str) -> Condition:
    """The class points to parameters, and we know none."""
    return new_condition(
        ACCEPTED,
        False,
        "InvalidParameters",
        f"spec.parametersRef: {kind} {name!r} is not something that Headgate reads; leave parametersRef out",
    )


def supported_version() -> Condition:
    """The cluster's definitions are of releases that we know."""
    return new_condition(
        SUPPORTED_VERSION, True, "SupportedVersion", "the definitions of the Gateway API are of releases that are known"
    )


def unsupported_version(releases: Mapping[str, str], first: str, last: str) -> Condition:
    """Some are not, by kind (empty: the definition does not say); what we know of them is served all the same."""
    found = ", ".join(f"{kind} {release or 'of no release'}" for kind, release in sorted(releases.items()))
    return new_condition(
        SUPPORTED_VERSION,
        False,
        "UnsupportedVersion",
        f"CustomResourceDefinitions: {found}; known are the releases {first} to {last} of the Gateway API, and of these"
        " definitions only what those have is served",
    )
