"""BackendTLSPolicy (Gateway API v1.7, `BackendTLSPolicySpec`; GEP-1897): what one policy says, by itself."""

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import Problem
from headgate.conditions import backend_tls_policy as say
from headgate.ir.tls import UpstreamTLS

from . import targets as targets_of
from . import validation
from .targets import Indexed


class Policy(msgspec.Struct, frozen=True):
    """A policy as it is written. `targets` carry their index in `spec.targetRefs`, `authorities` are the paths of
    references in the order of `tls.authorities`. `problems` are those that no other object can mend.
    """

    generation: int
    created: str
    targets: tuple[Indexed, ...]
    tls: UpstreamTLS
    authorities: tuple[str, ...]
    problems: tuple[Problem, ...]


def read(key: Key, found: api.BackendTLSPolicy) -> Policy:
    """What a policy says. With a problem in its validation it believes nobody, so nothing can be sent by it."""
    targets, wrong_targets = targets_of.read(key, found.spec.target_refs, ("", "Service"), say.unsupported_target)
    validated = validation.read(key.namespace, "spec.validation", found.spec.validation)
    return Policy(
        generation=found.metadata.generation,
        created=found.metadata.creation_timestamp,
        targets=targets,
        tls=validated.tls,
        authorities=validated.authorities,
        problems=(*wrong_targets, *validated.problems),
    )
