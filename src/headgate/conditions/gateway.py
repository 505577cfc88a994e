"""Conditions of a Gateway (`apis/v1/gateway_types.go`)."""

from collections.abc import Sequence

import msgspec

from headgate.api.meta import Condition, Ref
from headgate.api.problems import Problem

from .build import new_condition
from .invalid import new_problem
from .listener import listener_names

ACCEPTED = "Accepted"
PROGRAMMED = "Programmed"
RESOLVED_REFS = "ResolvedRefs"
INSECURE_FRONTEND_VALIDATION_MODE = "InsecureFrontendValidationMode"
ADDRESSES_ASSIGNED = "AddressesAssigned"


# Accepted.


def accepted() -> Condition:
    """The Gateway and its listeners are valid."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway and all its listeners are valid")


def listeners_not_valid(names: Sequence[str]) -> Condition:
    """Some listeners are invalid. The Gateway is accepted, because the others serve."""
    return new_condition(
        ACCEPTED,
        True,
        "ListenersNotValid",
        f"invalid: {listener_names(names)}; see their conditions. The other listeners are served",
    )


def no_valid_listener(names: Sequence[str]) -> Condition:
    """No listener is valid."""
    return new_condition(
        ACCEPTED,
        False,
        "ListenersNotValid",
        f"no listener is valid: {listener_names(names)}; see their conditions",
    )


def invalid_parameters(parameters: Ref) -> Problem:
    """`spec.infrastructure.parametersRef` is set; no kind of parameters is supported."""
    return new_problem(
        ACCEPTED,
        "InvalidParameters",
        "spec.infrastructure.parametersRef",
        f"{parameters.kind} {parameters.name!r} is not supported as parameters; remove parametersRef",
    )


def unsupported_address(index: int, kind: str) -> Problem:
    """The type of an address is not supported."""
    return new_problem(
        ACCEPTED, "UnsupportedAddress", f"spec.addresses[{index}].type", f"{kind!r} is not supported; use IPAddress"
    )


# Programmed.


def programmed(addresses: Sequence[str], ports: Sequence[tuple[int, int]]) -> Condition:
    """Envoys serve the Gateway. `ports` are pairs of a listener's port and the port that Envoy binds instead."""
    message = f"Envoys serve on {', '.join(addresses)}"
    if ports:
        message += "; ports below 1024 cannot be bound here: " + ", ".join(
            f"port {port} is served on {bound}" for port, bound in ports
        )
    return new_condition(PROGRAMMED, True, "Programmed", message)


def not_accepted() -> Condition:
    """The Gateway is not programmed, because it is not accepted."""
    return new_condition(PROGRAMMED, False, "Invalid", "the Gateway is not accepted; see condition Accepted")


def address_not_assigned(service: str) -> Condition:
    """The Service of the Envoys has no address."""
    return new_condition(
        PROGRAMMED,
        False,
        "AddressNotAssigned",
        f"Service {service} of type LoadBalancer has no address in status.loadBalancer;"
        " install a load balancer controller, or start `headgate node` with --load-balancer-cidr",
    )


def address_not_usable(missing: Sequence[tuple[int, str]], count: int) -> Condition:
    """Requested addresses were not assigned: pairs of the index in `spec.addresses` and the value, of `count`."""
    fields = ", ".join(f"spec.addresses[{index}].value {address}" for index, address in missing)
    remedy = "request another address, or remove value to get any"
    if count > 1:
        remedy = "a Gateway has one address: request one, or remove value to get any"
    return new_condition(
        PROGRAMMED,
        False,
        "AddressNotUsable",
        f"{fields} was not assigned: it is in use, or outside the load balancer's address pool; {remedy}",
    )


def no_address_assigned() -> Condition:
    """None of the requested addresses is assigned."""
    return new_condition(
        PROGRAMMED, False, "AddressNotAssigned", "no address is assigned; see condition AddressesAssigned"
    )


def pending(message: str) -> Condition:
    """No Envoy has accepted the configuration."""
    return new_condition(PROGRAMMED, False, "Pending", message)


# AddressesAssigned (GEP-5093).


def addresses_assigned(addresses: Sequence[str], missing: Sequence[str]) -> Condition:
    """Which of the requested addresses are assigned; `missing` are the fields of the others."""
    if not missing:
        return new_condition(ADDRESSES_ASSIGNED, True, "AddressesAssigned", f"assigned: {', '.join(addresses)}")
    message = (
        f"not assigned: {', '.join(missing)}; request an address of the load balancer (without routability), or the"
        " ClusterIP of the Envoys' Service (routability Cluster without a value) where the cluster routes it to pods"
    )
    if not addresses:
        return new_condition(ADDRESSES_ASSIGNED, False, "NotAssigned", message)
    return new_condition(ADDRESSES_ASSIGNED, False, "PartiallyAssigned", f"assigned: {', '.join(addresses)}; {message}")


# ResolvedRefs.


def refs_resolved() -> Condition:
    """The references of the Gateway and of its listeners resolve."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


def listener_refs_not_resolved(names: Sequence[str]) -> Condition:
    """References of listeners do not resolve."""
    return new_condition(
        RESOLVED_REFS,
        False,
        "ListenersNotResolved",
        f"unresolved references in {listener_names(names)}; see their conditions",
    )


def as_client_certificate(problem: Problem) -> Problem:
    """The problem of a listener's certificateRef as one of `spec.tls.backend.clientCertificateRef`."""
    reason = "InvalidClientCertificateRef" if problem.reason == "InvalidCertificateRef" else problem.reason
    return msgspec.structs.replace(problem, condition=RESOLVED_REFS, reason=reason)


# InsecureFrontendValidationMode (GEP-91).


def insecure_mode(path: str) -> Problem:
    """A mode admits clients without a valid certificate. It is a warning: the Gateway is served."""
    problem = new_problem(
        INSECURE_FRONTEND_VALIDATION_MODE,
        "ConfigurationChanged",
        path,
        "AllowInsecureFallback admits clients without a certificate, and clients whose certificate no trusted CA has"
        " signed; use AllowValidOnly to reject them",
    )
    return msgspec.structs.replace(problem, severity="warning")


def insecure_frontend_validation_mode(problems: Sequence[Problem]) -> Condition:
    """Clients without a valid certificate are admitted. The condition is present only while this is so."""
    paths, first = ", ".join(problem.path for problem in problems), problems[0]
    return new_condition(INSECURE_FRONTEND_VALIDATION_MODE, True, first.reason, f"{paths}: {first.message}")
