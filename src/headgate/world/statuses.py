"""Which fields of a status the controller writes, and where the program puts what they should be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate.api import gateway, gateway_x
from headgate.api.meta import Ref, Value
from headgate.incremental import Collection

from .outputs import Outputs

_LISTENER = ("Accepted", "Conflicted", "ResolvedRefs", "Programmed", "OverlappingTLSConfig")


@dataclass(frozen=True, slots=True)
class OwnedStatus:
    """The part of the status of a kind that is the controller's.

    Conditions of these types are removed when they are not desired; other types belong to other controllers.
    """

    #: The collection of the program's outputs that holds the desired statuses.
    collection: Callable[[Outputs], Collection[Any, Any]]
    #: Condition types of the object, or of the controller's entries in `status.parents` and `status.ancestors`.
    conditions: tuple[str, ...]
    #: Condition types of the entries of `status.listeners`.
    listener_conditions: tuple[str, ...] = ()
    #: Makes a status of the controller's entries, where the collection holds entries by `Ref`; where it holds whole
    #: statuses by namespace and name: None.
    of_entries: Callable[[Any], Value] | None = None

    def desired(self, outputs: Outputs, ref: Ref) -> Value | None:
        """The status that an object should have; None: the object is not the controller's."""
        collection = self.collection(outputs)
        if self.of_entries is None:
            status: Value | None = collection.get(ref.key)
            return status
        return self.of_entries(collection.get(ref) or ())


def of_route() -> OwnedStatus:
    """Of routes: entries of `status.parents`."""
    return OwnedStatus(
        lambda outputs: outputs.route_statuses,
        ("Accepted", "ResolvedRefs", "PartiallyInvalid"),
        of_entries=lambda entries: gateway.RouteStatus(parents=entries),
    )


def of_policy(*conditions: str) -> OwnedStatus:
    """Of policies: entries of `status.ancestors`."""
    return OwnedStatus(
        lambda outputs: outputs.policy_statuses,
        conditions,
        of_entries=lambda entries: gateway.PolicyStatus(ancestors=entries),
    )


def of_backend() -> OwnedStatus:
    """Of XBackends: entries of `status.ancestors`, of a type of their own."""
    return OwnedStatus(lambda outputs: outputs.policy_statuses, ("Accepted",), of_entries=_backend_status)


def of_gateway_class() -> OwnedStatus:
    """Of GatewayClasses."""
    return OwnedStatus(lambda outputs: outputs.gateway_class_statuses, ("Accepted", "SupportedVersion"))


def of_gateway() -> OwnedStatus:
    """Of Gateways."""
    return OwnedStatus(
        lambda outputs: outputs.gateway_statuses,
        ("Accepted", "Programmed", "ResolvedRefs", "InsecureFrontendValidationMode", "AddressesAssigned"),
        _LISTENER,
    )


def of_listener_set() -> OwnedStatus:
    """Of ListenerSets."""
    return OwnedStatus(lambda outputs: outputs.listener_set_statuses, ("Accepted", "Programmed"), _LISTENER)


def _backend_status(entries: tuple[gateway.PolicyAncestorStatus, ...]) -> gateway_x.XBackendStatus:
    return gateway_x.XBackendStatus(
        ancestors=tuple(
            gateway_x.BackendAncestorStatus(
                ancestor_ref=entry.ancestor_ref, controller_name=entry.controller_name, conditions=entry.conditions
            )
            for entry in entries
        )
    )
