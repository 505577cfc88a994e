"""ListenerSet: listeners that teams add to a Gateway of others (GEP-1713)."""

from typing import Annotated

from ..constraints import (
    REQUIRED,
    GroupName,
    KindName,
    NamespaceName,
    ObjectName,
    keyed,
    keywords,
    waiting,
)
from ..meta import Object, Value
from .listeners import Listener, ListenerStatus
from .shared import AGE, GROUP, Column, Conditions

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {
    "ListenerSet": (
        ("Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status', 0),
        ("Programmed", "string", '.status.conditions[?(@.type=="Programmed")].status', 0),
        AGE,
    )
}


class ParentGatewayReference(Value):
    """The Gateway that the listeners join."""

    name: ObjectName
    group: GroupName = GROUP
    kind: KindName = "Gateway"
    namespace: NamespaceName | None = None


class ListenerSetSpec(Value):
    """Listeners for a Gateway. Their names need to differ within the set only."""

    parent_ref: ParentGatewayReference
    listeners: Annotated[tuple[Listener, ...], REQUIRED, keyed("name", 64, minItems=1)] = ()


class ListenerSetStatus(Value):
    """What became of a ListenerSet."""

    conditions: Annotated[Conditions, keywords(default=waiting("Accepted", "Programmed")["conditions"])] = ()
    listeners: Annotated[tuple[ListenerStatus, ...], keyed("name", 64)] = ()


class ListenerSet(Object, kw_only=True):
    """Listeners that are added to a Gateway."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "ListenerSet"
    spec: ListenerSetSpec
    status: Annotated[ListenerSetStatus, keywords(default=waiting("Accepted", "Programmed"))] = ListenerSetStatus()
