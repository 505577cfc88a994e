"""The group `apiextensions.k8s.io/v1`: CustomResourceDefinition, as far as it says what an API serves of a kind.

A cluster has the definitions of some release, and not all of them: what a kind's installed definition lacks is pruned
from every object of it, in specs and in statuses.
"""

from collections.abc import Iterator, Sequence

import msgspec

from .meta import Condition, Object, Value

#: The annotation of the Gateway API's definitions that says of which release they are.
BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version"


class Schema(Value):
    """The names of an `openAPIV3Schema` and no more of it: most of a definition are descriptions."""

    properties: dict[str, "Schema"] = {}
    items: "Schema | None" = None


class Validation(Value):
    """Where the schema of a version is."""

    open_api: Schema = msgspec.field(name="openAPIV3Schema", default=Schema())


class Version(Value):
    """A version of a kind."""

    name: str
    served: bool = False
    schema: Validation = Validation()


class Names(Value):
    """How a kind is called."""

    kind: str = ""
    plural: str = ""


class Spec(Value):
    """What is defined."""

    group: str = ""
    names: Names = Names()
    versions: tuple[Version, ...] = ()


class Status(Value):
    """What became of it."""

    conditions: tuple[Condition, ...] = ()


class CustomResourceDefinition(Object):
    """A kind that is not built into Kubernetes."""

    api_version: str = "apiextensions.k8s.io/v1"
    kind: str = "CustomResourceDefinition"
    spec: Spec = Spec()
    status: Status = Status()


class Served(msgspec.Struct, frozen=True):
    """What an API serves of a kind.

    `version` is the newest that we know, `fields` are the paths that its schema has (`spec.rules.retry.codes`; lists
    are passed over), `uid` tells one definition from another that took its place. `release` is what the Gateway API's
    own definitions say of themselves (`v1.7.0`), empty if they do not.
    """

    version: str
    fields: frozenset[str]
    uid: str = ""
    release: str = ""


def served(definition: CustomResourceDefinition, known: Sequence[str]) -> Served | None:
    """The first of the versions known to us that is defined and served; None if there is none."""
    if not _established(definition):
        return None
    schemas = {each.name: each.schema.open_api for each in definition.spec.versions if each.served}
    for version in known:
        if version in schemas:
            about = definition.metadata
            fields = frozenset(_paths(schemas[version]))
            return Served(version, fields, about.uid, about.annotations.get(BUNDLE_VERSION, ""))
    return None


def _established(definition: CustomResourceDefinition) -> bool:
    return any(each.type == "Established" and each.status == "True" for each in definition.status.conditions)


def _paths(schema: Schema, above: str = "") -> Iterator[str]:
    for name, below in schema.properties.items():
        path = f"{above}.{name}" if above else name
        yield path
        yield from _paths(below, path)
    if schema.items is not None:
        yield from _paths(schema.items, above)
