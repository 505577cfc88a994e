"""What a Gateway is told about itself (`apis/v1/gateway_types.go`)."""

from collections.abc import Sequence

import msgspec

from headgate.api.meta import Condition

from .build import new_condition
from .invalid import Problem

ACCEPTED = "Accepted"
PROGRAMMED = "Programmed"
RESOLVED_REFS = "ResolvedRefs"
INSECURE_FRONTEND_VALIDATION_MODE = "InsecureFrontendValidationMode"
ADDRESSES_ASSIGNED = "AddressesAssigned"


def accepted() -> Condition:
    """All listeners are valid."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway and all its listeners are valid")


def listeners_not_valid(names: Sequence[str]) -> Condition:
    """Accepted all the same: the other listeners serve."""
    return new_condition(
        ACCEPTED,
        True,
        "ListenersNotValid",
        f"not valid: {_listeners(names)}; their own conditions say why, the other listeners serve",
    )


def no_valid_listener(names: Sequence[str]) -> Condition:
    """Nothing to serve."""
    return new_condition(
        ACCEPTED, False, "ListenersNotValid", f"no listener is valid: {_listeners(names)}; their conditions say why"
    )


def invalid_parameters(kind: str, name: str) -> Condition:
    """`spec.infrastructure.parametersRef` points to something that we do not read."""
    return new_condition(
        ACCEPTED,
        False,
        "InvalidParameters",
        f"spec.infrastructure.parametersRef: {kind} {name!r} is not something that Headgate reads;"
        " leave parametersRef out",
    )


def unsupported_address(index: int, kind: str) -> Condition:
    """An address of a type that we cannot give."""
    return new_condition(
        ACCEPTED,
        False,
        "UnsupportedAddress",
        f"spec.addresses[{index}].type: {kind!r} is not supported; IPAddress is",
    )


def programmed(addresses: Sequence[str], ports: Sequence[tuple[int, int]]) -> Condition:
    """Envoys serve. `ports` are the ports of listeners that had to be served on another one: (wanted, real)."""
    where = f"Envoys serve on {', '.join(addresses)}"
    if ports:
        where += "; ports below 1024 cannot be bound here: " + ", ".join(
            f"port {wanted} is served on {real}" for wanted, real in ports
        )
    return new_condition(PROGRAMMED, True, "Programmed", where)


def not_accepted() -> Condition:
    """Nothing was programmed, because nothing is valid."""
    return new_condition(PROGRAMMED, False, "Invalid", "the Gateway is not accepted; condition Accepted says why")


def address_not_assigned(service: str) -> Condition:
    """The Service of the Envoys has no address yet."""
    return new_condition(
        PROGRAMMED,
        False,
        "AddressNotAssigned",
        f"Service {service} of type LoadBalancer has no address in status.loadBalancer yet;"
        " a cloud's load balancer controller gives it one, or `headgate node --load-balancer-cidr`",
    )


def address_not_usable(missing: Sequence[tuple[int, str]], count: int) -> Condition:
    """Addresses that were asked for and are not had: their places in `spec.addresses`, of `count` with a value."""
    fields = ", ".join(f"spec.addresses[{index}].value {address}" for index, address in missing)
    why = "is taken, or is none that the cluster's load balancer gives"
    remedy = "choose another, or leave value out to take any"
    if count > 1:
        remedy = "a Gateway has one address: name one, or leave value out to take any"
    return new_condition(PROGRAMMED, False, "AddressNotUsable", f"{fields} was not assigned: it {why}; {remedy}")


def addresses_assigned(addresses: Sequence[str], missing: Sequence[str]) -> Condition:
    """What of the addresses that were asked for is had; `missing` are the fields of the others."""
    if not missing:
        return new_condition(ADDRESSES_ASSIGNED, True, "AddressesAssigned", f"assigned: {', '.join(addresses)}")
    lacking = (
        f"not assigned: {', '.join(missing)}; an address can be what the load balancer gives (no routability), or the"
        " ClusterIP of the Envoys' Service (routability Cluster without a value) where the cluster routes that to pods"
    )
    if addresses:
        return new_condition(
            ADDRESSES_ASSIGNED, False, "PartiallyAssigned", f"assigned: {', '.join(addresses)}; {lacking}"
        )
    return new_condition(ADDRESSES_ASSIGNED, False, "NotAssigned", lacking)


def no_address_assigned() -> Condition:
    """None of the addresses that were asked for is had."""
    return new_condition(
        PROGRAMMED, False, "AddressNotAssigned", "no address is assigned; condition AddressesAssigned says why"
    )


def pending(why: str) -> Condition:
    """No Envoy has taken the configuration yet."""
    return new_condition(PROGRAMMED, False, "Pending", why)


def refs_resolved() -> Condition:
    """The Gateway's own references and those of its listeners lead somewhere."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


def refs_not_resolved(problem: Problem) -> Condition:
    """A reference of the Gateway itself."""
    return new_condition(RESOLVED_REFS, False, problem.reason, str(problem))


def listener_refs_not_resolved(names: Sequence[str]) -> Condition:
    """References of listeners."""
    return new_condition(
        RESOLVED_REFS, False, "ListenersNotResolved", f"not resolved: {_listeners(names)}; their conditions say why"
    )


def as_client_certificate(problem: Problem) -> Problem:
    """What is wrong with the certificate for backends, in the words for a listener's."""
    reason = "InvalidClientCertificateRef" if problem.reason == "InvalidCertificateRef" else problem.reason
    return msgspec.structs.replace(problem, condition=RESOLVED_REFS, reason=reason)


def insecure_frontend_validation_mode(paths: Sequence[str]) -> Condition:
    """Clients without a valid certificate are let in; only said while it is so."""
    return new_condition(
        INSECURE_FRONTEND_VALIDATION_MODE,
        True,
        "ConfigurationChanged",
        f"{', '.join(paths)}: AllowInsecureFallback lets clients in that show no certificate, or one that nobody"
        " signed; AllowValidOnly turns them away",
    )


def _listeners(names: Sequence[str]) -> str:
    return ", ".join(f"listener {name!r}" for name in names)
