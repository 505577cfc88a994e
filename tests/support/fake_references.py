"""Stands in for what follows the references of a policy."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.api.gateway import BackendObjectReference
from headgate.api.meta import Key, Ref
from headgate.conditions import http_route
from headgate.ir.routing import Backend
from headgate.policies.base import CACertificates


@dataclass(frozen=True)
class FakeReferences:
    """A `ReferenceResolver`: every backend of the policy's namespace `shop` exists but `missing`."""

    ca_problem: str = ""
    served: bool = True

    def backend(self, path: str, ref: BackendObjectReference, *, grpc: bool = False) -> Backend:
        """The Service port of the reference."""
        if ref.name == "missing":
            raise http_route.backend_not_found(path, Ref("Service", ref.namespace or "shop", ref.name))
        key = Key(ref.namespace or "shop", ref.name)
        return Backend(key, ref.port or 80, "http2" if grpc else "http1")

    def ca_certificates(self, _key: Key) -> CACertificates:
        """The same for every object."""
        return CACertificates(self.served, self.ca_problem)
