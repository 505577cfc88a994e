"""Follows all references of policies, those to backends included. Policies for backends cannot have them: backends
depend on those policies.
"""

from headgate.api.gateway import BackendObjectReference
from headgate.api.meta import Ref
from headgate.incremental import Read
from headgate.ir.routing import Backend

from ..references.resolver import References, Resolver
from .attachment import Resolvers
from .references import PolicyReferences


def of_policies(references: References) -> Resolvers:
    """Makes what follows the references of one policy."""

    def of_policy(read: Read, owner: Ref) -> PolicyReferences:
        def backend(path: str, ref: BackendObjectReference, grpc: bool) -> Backend:
            return Resolver(read, references, owner).backend(path, ref, grpc=grpc)

        return PolicyReferences(read, references.world, references.ca_bundles, backend)

    return of_policy
