"""Follows the references of policies."""

from collections.abc import Callable
from dataclasses import dataclass

from headgate.api.gateway import BackendObjectReference
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.routing import Backend
from headgate.policies.base import CACertificates
from headgate.world import World

from ..references import ca_certificates
from ..references.ca_certificates import CABundle

#: Finds the backend of a reference at a path, for gRPC or not; raises `Invalid`.
FindBackend = Callable[[str, BackendObjectReference, bool], Backend]


def _no_backends(path: str, _ref: BackendObjectReference, _grpc: bool) -> Backend:
    raise TypeError(f"{path}: a policy for backends cannot refer to backends, which depend on it")


@dataclass(frozen=True, slots=True)
class PolicyReferences:
    """What `headgate.policies.base.ReferenceResolver` asks for, for one policy."""

    read: Read
    world: World
    ca_bundles: Collection[Key, CABundle]
    find_backend: FindBackend = _no_backends

    def backend(self, path: str, ref: BackendObjectReference, *, grpc: bool = False) -> Backend:
        """The backend of a reference at a path; raises `Invalid`."""
        return self.find_backend(path, ref, grpc)

    def ca_certificates(self, key: Key) -> CACertificates:
        """The CA certificates in a ConfigMap, or in a ClusterTrustBundle (whose key has no namespace)."""
        return CACertificates(
            served=ca_certificates.is_kind_served(self.read, self.world, key),
            problem=ca_certificates.problem(self.read, self.ca_bundles, key),
        )
