"""Which requests an admission policy matches (`k8s.io/apiserver/pkg/admission/plugin/policy/matching`)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.api.meta import LabelSelector
from headgate.api.selectors import from_selector
from headgate.localapi.resources.served import Object, Resource


class AdmissionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A write before it is stored: the old object (None on CREATE) and the new one (None on DELETE)."""

    operation: str
    resource: Resource
    version: str
    subresource: str = ""
    namespace: str
    name: str
    new: Object | None
    old: Object | None
    user: str
    dry_run: bool = False


def matches(matching: Mapping[str, Any] | None, review: AdmissionRequest, namespace: Object | None) -> bool:
    """Whether `matchConstraints` or `matchResources` match a request. `namespace` is the namespace object of the
    request.
    """
    if matching is None:
        return True
    if not _selects_namespace(matching.get("namespaceSelector"), review, namespace):
        return False
    if not _selects_object(matching.get("objectSelector"), review):
        return False
    exact = matching.get("matchPolicy") == "Exact"
    if any(_rule_takes(rule, review, exact) for rule in matching.get("excludeResourceRules") or ()):
        return False
    rules = matching.get("resourceRules")
    return not rules or any(_rule_takes(rule, review, exact) for rule in rules)


def _selects_namespace(selector: Any, review: AdmissionRequest, namespace: Object | None) -> bool:
    """Cluster-scoped objects always match; a namespace object is selected by its own labels."""
    if review.resource.id == "namespaces":
        namespace = review.new or review.old
    elif not review.resource.namespaced:
        return True
    return namespace is None or selects(selector, _labels(namespace))


def _selects_object(selector: Any, review: AdmissionRequest) -> bool:
    return any(selects(selector, _labels(obj)) for obj in (review.new, review.old) if obj is not None)


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def selects(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, as JSON, selects labels. A missing and an empty selector select everything."""
    return not selector or from_selector(msgspec.convert(selector, LabelSelector)).matches(labels)


def _rule_takes(rule: Mapping[str, Any], review: AdmissionRequest, exact: bool) -> bool:
    resource = review.resource
    scope = "Namespaced" if resource.namespaced and resource.id != "namespaces" else "Cluster"
    return (
        _among(rule.get("operations"), review.operation)
        and _among(rule.get("apiGroups"), resource.group)
        # With matchPolicy Equivalent a rule for one version matches all versions.
        and (_among(rule.get("apiVersions"), review.version) or (not exact and _any_version(rule, resource)))
        and any(_resource_takes(pattern, review) for pattern in rule.get("resources") or ())
        and rule.get("scope", "*") in {"*", scope}
        and (not rule.get("resourceNames") or review.name in rule["resourceNames"])
    )


def _any_version(rule: Mapping[str, Any], resource: Resource) -> bool:
    return any(version in resource.versions for version in rule.get("apiVersions") or ())


def _among(choices: Any, value: str) -> bool:
    return bool(choices) and ("*" in choices or value in choices)


def _resource_takes(pattern: str, review: AdmissionRequest) -> bool:
    """`pods`, `pods/status`, `pods/*`, `*/status`, `*` (no subresources) and `*/*`."""
    plural, _, subresource = pattern.partition("/")
    return plural in {"*", review.resource.plural} and subresource in (
        {"*", review.subresource} if review.subresource or "/" in pattern else {""}
    )
