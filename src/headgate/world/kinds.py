"""A kind that the gateway controller watches, as one row of `headgate.world.World`.

The row is the only place that lists what the controller does with a kind. Sources, trimming, the reference barrier,
the watches, the statuses and the rights that the Helm chart must grant are built from the rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar, overload

from headgate.api import codec
from headgate.api.meta import Key, Object, Ref
from headgate.incremental import Source

from .references import ReferenceTypes, itself
from .statuses import OwnedStatus
from .trim import Interner

if TYPE_CHECKING:
    from .objects import World

T = TypeVar("T", bound=Object)


@dataclass(frozen=True)
class WatchedKind(Generic[T]):
    """A kind and what the controller does with it.

    As an attribute of the class `World` it is this row; as an attribute of a world it is the source of the kind's
    objects, `Source[Key, T]`.
    """

    type: type[T]
    #: Reduces an object to the fields that the program reads; None keeps it whole.
    trim: Callable[[T, Interner], T] | None = None
    #: Only objects that this field selector selects are watched.
    field_selector: str | None = None
    #: Whether some API servers do not serve the kind, though it has no CustomResourceDefinition.
    optional: bool = False
    #: Of routes: the listener protocols that carry them.
    protocols: tuple[str, ...] = ()
    #: The types of references in a spec that must resolve before a new spec takes effect (see the reference barrier).
    waits_for: ReferenceTypes = ()
    #: The reference that an object resolves for others; None: no object waits for one of this kind.
    resolves: Callable[[T], Ref] | None = None
    #: What of the status the controller writes; None: nothing.
    status: OwnedStatus | None = None

    @overload
    def __get__(self, world: None, owner: object) -> Self: ...
    @overload
    def __get__(self, world: "World", owner: object) -> Source[Key, T]: ...
    def __get__(self, world: "World | None", owner: object) -> Self | Source[Key, T]:
        return self if world is None else world.source(self.type)

    @property
    def name(self) -> str:
        """The name of the kind, which is also the name of its source in the engine."""
        return self._registered.kind

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self._registered.group

    @property
    def is_stream_route(self) -> bool:
        """Whether it is a kind of routes that carry connections or datagrams, not requests."""
        return bool(self.protocols) and "HTTP" not in self.protocols

    @property
    def is_read_by_name(self) -> bool:
        """Whether the reference barrier asks the API server for single objects."""
        return self.resolves is itself

    @property
    def rights(self) -> Mapping[str, frozenset[str]]:
        """The verbs that the controller needs, by resource (`httproutes`, `httproutes/status`)."""
        plural = self._registered.plural
        reads_one = self.status is not None or self.is_read_by_name
        verbs = {plural: frozenset(("list", "watch", "get") if reads_one else ("list", "watch"))}
        return verbs if self.status is None else verbs | {f"{plural}/status": frozenset(("patch",))}

    @property
    def _registered(self) -> codec.Kind:
        return codec.kind_of(self.type)
