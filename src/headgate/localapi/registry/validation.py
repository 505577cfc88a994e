"""Validates an object: metadata, schema, CEL rules, and the rules of its kind."""

from collections.abc import Iterator

from headgate.api import schema as schemas_
from headgate.api.cel import rules
from headgate.api.problems import Problem
from headgate.localapi.resources import schemas
from headgate.localapi.resources.served import Object, Resource

from . import names, status_errors

#: The limit of the total size of an object's annotations, in bytes.
LARGEST_ANNOTATIONS = 256 * 1024


def validate(resource: Resource, version: str, obj: Object, old: Object | None, *, only: str = "") -> None:
    """Raise `StatusError` (422) with every problem."""
    rest = {k: v for k, v in obj.items() if k != "metadata" and (not only or k == only)}
    schema = resource.schema(version)
    if only:
        schema = {k: v for k, v in schema.items() if k != "required"}
    problems: list[Problem] = []
    if not only:
        problems += _metadata_problems(resource, obj["metadata"], old)
    required = [name for name in schema.get("required", ()) if name not in {"metadata", "apiVersion", "kind"}]
    before = {k: v for k, v in (old or {}).items() if k in rest} if old else None
    problems += schemas_.validate({**schema, "required": required}, rest, old=before)
    problems += _broken_rules(resource, version, obj, old, problems)
    if not only and not problems:
        problems += resource.strategy.validate(obj, old)
    if problems:
        raise status_errors.invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), problems)


#: After these problems Kubernetes evaluates no rules, because an expression could get a value of the wrong type.
_BLOCKING = frozenset(
    {"FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"}
)
_NOT_ASKED = Problem(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation",
)


def _broken_rules(
    resource: Resource, version: str, obj: Object, old: Object | None, before: list[Problem]
) -> Iterator[Problem]:
    """The CEL rules that the whole object violates, also if only its status is written."""
    node = resource.versions[version].rules
    if node is None:
        return
    if any(problem.reason in _BLOCKING for problem in before):
        yield _NOT_ASKED
        return
    about = {"apiVersion": resource.api_version(version), "kind": resource.kind}
    yield from rules.problems(node, _for_rules(obj, about), None if old is None else _for_rules(old, about))


def _for_rules(obj: Object, about: Object) -> Object:
    """The object as CEL rules see it: of its metadata, only the names."""
    metadata = {k: v for k, v in obj["metadata"].items() if k in {"name", "generateName"}}
    return {**about, **obj, "metadata": metadata}


def _metadata_problems(resource: Resource, metadata: Object, old: Object | None) -> list[Problem]:
    problems = schemas_.validate(schemas.message("meta.v1.ObjectMeta"), metadata, "metadata")
    if problems:
        return problems
    name = metadata.get("name", "")
    if not name:
        problems.append(
            Problem("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
        )
    elif old is None and (why := names.name_problem(resource.group, resource.kind, name)):
        problems.append(Problem("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {why}'))
    problems += names.label_problems(metadata.get("labels") or {}, "metadata.labels")
    for key in metadata.get("annotations") or {}:
        problems += names.key_problems(key.lower(), "metadata.annotations")
    size = sum(len(key) + len(value) for key, value in (metadata.get("annotations") or {}).items())
    if size > LARGEST_ANNOTATIONS:
        problems.append(
            Problem(
                "metadata.annotations",
                "FieldValueTooLong",
                f"Too long: may not be more than {LARGEST_ANNOTATIONS} bytes, found {size}; "
                "`kubectl apply --server-side` does without the annotation of the last apply",
            )
        )
    if old is not None and "deletionTimestamp" in metadata:
        added = set(metadata.get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
        if added:
            problems.append(
                Problem(
                    "metadata.finalizers",
                    "FieldValueForbidden",
                    "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
                    f"{sorted(added)}",
                )
            )
    return problems
