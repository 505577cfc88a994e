"""References between objects, as far as an object waits for what it references (see the reference barrier).

Which references resolve for traffic is decided by `headgate.resolve`; here only the order of arrival matters.
"""

from collections.abc import Iterator

import msgspec

from headgate.api import gateway
from headgate.api.discovery import SERVICE_NAME, EndpointSlice
from headgate.api.meta import Object, Ref

Reference = gateway.BackendObjectReference | gateway.CACertificateReference | gateway.SecretObjectReference
ReferenceTypes = tuple[type[Reference], ...]

#: The types of references in routes, and in Gateways and ListenerSets.
IN_ROUTES: ReferenceTypes = (gateway.BackendObjectReference,)
IN_LISTENERS: ReferenceTypes = (
    gateway.BackendObjectReference,
    gateway.CACertificateReference,
    gateway.SecretObjectReference,
)
#: The kind of the `Ref` of a permission that is missing in a namespace; it has no name.
GRANT = "ReferenceGrant"


def itself(obj: Object) -> Ref:
    """An object resolves the references to it."""
    return obj.ref


def its_service(endpoint_slice: EndpointSlice) -> Ref:
    """An EndpointSlice resolves references to its Service: a Service without endpoints gets no traffic."""
    return Ref("Service", endpoint_slice.metadata.namespace, endpoint_slice.metadata.labels.get(SERVICE_NAME, ""))


def its_permissions(grant: gateway.ReferenceGrant) -> Ref:
    """A ReferenceGrant permits references to its namespace."""
    return Ref(GRANT, grant.metadata.namespace, "")


def references_in(value: object, types: ReferenceTypes, namespace: str) -> Iterator[Ref]:
    """The references of these types to objects of the core group, wherever they are in a spec.

    Args:
        value: the spec, or a part of it.
        types: classes of references, with `group`, `kind`, `name` and `namespace`.
        namespace: where a reference without a namespace points to.
    """
    if isinstance(value, tuple):
        for item in value:
            yield from references_in(item, types, namespace)
    elif isinstance(value, msgspec.Struct):
        if isinstance(value, types) and value.group == "":
            yield Ref(value.kind, value.namespace or namespace, value.name)
        for field in value.__struct_fields__:
            part = getattr(value, field)
            if isinstance(part, tuple | msgspec.Struct):
                yield from references_in(part, types, namespace)
