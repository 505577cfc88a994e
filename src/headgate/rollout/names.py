"""The names of the objects around a Canary; they are Flagger's."""

import msgspec

from headgate.api.delivery import Canary
from headgate.api.meta import Key


class Names(msgspec.Struct, frozen=True):
    """The objects around a Canary. `apex` is also the name of the HTTPRoute."""

    namespace: str
    target: str
    primary: str
    apex: str
    primary_service: str
    canary_service: str

    @classmethod
    def of(cls, canary: Canary) -> "Names":
        """The names for a Canary: `spec.service.name`, or the target's name, with suffixes."""
        target = canary.spec.target_ref.name
        apex = (canary.spec.service.name if canary.spec.service else None) or target
        return cls(
            namespace=canary.metadata.namespace,
            target=target,
            primary=f"{target}-primary",
            apex=apex,
            primary_service=f"{apex}-primary",
            canary_service=f"{apex}-canary",
        )

    def key(self, name: str) -> Key:
        """An object of the Canary's namespace."""
        return Key(self.namespace, name)
