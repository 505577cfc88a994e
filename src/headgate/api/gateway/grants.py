"""ReferenceGrant."""

from typing import Annotated

from ..constraints import REQUIRED, GroupName, KindName, NamespaceName, ObjectName, atomic
from ..meta import Object, Value
from .shared import AGE, Column

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {"ReferenceGrant": (AGE,)}


class ReferenceGrantFrom(Value):
    """Who may refer."""

    group: GroupName
    kind: KindName
    namespace: NamespaceName


class ReferenceGrantTo(Value):
    """To what; without a name to all objects of the kind."""

    group: GroupName
    kind: KindName
    name: ObjectName | None = None


class ReferenceGrantSpec(Value):
    """Every `from` may refer to every `to` in the grant's namespace."""

    from_: Annotated[tuple[ReferenceGrantFrom, ...], REQUIRED, atomic(16, minItems=1)] = ()
    to: Annotated[tuple[ReferenceGrantTo, ...], REQUIRED, atomic(16, minItems=1)] = ()


class ReferenceGrant(Object):
    """Allows references from other namespaces into this one."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "ReferenceGrant"
    spec: Annotated[ReferenceGrantSpec, REQUIRED] = ReferenceGrantSpec()
