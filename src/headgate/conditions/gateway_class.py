"""Conditions of a GatewayClass (`apis/v1/gatewayclass_types.go`)."""

from collections.abc import Mapping

from headgate.api.meta import Condition, Ref
from headgate.api.problems import Problem

from .build import new_condition
from .invalid import new_problem

ACCEPTED = "Accepted"
SUPPORTED_VERSION = "SupportedVersion"


def accepted() -> Condition:
    """The controller manages the Gateways of this class."""
    return new_condition(ACCEPTED, True, "Accepted", "Headgate manages the Gateways of this class")


def invalid_parameters(parameters: Ref) -> Problem:
    """`spec.parametersRef` is set; no kind of parameters is supported."""
    return new_problem(
        ACCEPTED,
        "InvalidParameters",
        "spec.parametersRef",
        f"{parameters.kind} {parameters.name!r} is not supported as parameters; remove parametersRef",
    )


def supported_version() -> Condition:
    """The installed CRDs are of supported releases."""
    return new_condition(
        SUPPORTED_VERSION, True, "SupportedVersion", "the installed Gateway API CRDs are of supported versions"
    )


def unsupported_version(releases: Mapping[str, str], first: str, last: str) -> Condition:
    """Some CRDs are of other releases, by kind (empty: the CRD has no version annotation)."""
    versions = ", ".join(f"{kind}: {release or 'unknown'}" for kind, release in sorted(releases.items()))
    return new_condition(
        SUPPORTED_VERSION,
        False,
        "UnsupportedVersion",
        f"unsupported Gateway API CRD version ({versions}); supported: {first} to {last}."
        " Fields that those releases do not have are ignored; install CRDs of a supported version",
    )
