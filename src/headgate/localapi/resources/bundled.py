"""The initial definitions of an API: Headgate's own, those of a Gateway API release, official files, or none.

Admission policies in the official files are installed too. As long as they are not edited, the next start may replace
them, and removes those that are no longer selected and have no objects. Definitions that a user applied stay.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import structlog
import yaml

from headgate.api import crd, releases
from headgate.api.times import rfc3339
from headgate.localapi.admission.policies import BINDINGS, POLICIES
from headgate.localapi.registry import status_errors, strategy
from headgate.localapi.registry.api import Api, decode
from headgate.localapi.storage.cache import Record

from .definitions import DEFINITIONS
from .served import Object, Resource

log = structlog.get_logger("headgate.localapi.bundled")

#: The annotation of installed objects, see `_marked`.
MARK = "headgate.dev/bundled"
#: The kinds of a bundle and their resources. Other files (kustomizations and so on) are ignored.
_KINDS = {
    "CustomResourceDefinition": DEFINITIONS,
    "ValidatingAdmissionPolicy": POLICIES,
    "ValidatingAdmissionPolicyBinding": BINDINGS,
}
_ENDINGS = {".yaml", ".yml", ".json"}


class BundleError(ValueError):
    """The selected definitions cannot be served. The message has the reason and a remedy."""


def select(wanted: str) -> list[Object]:
    """The definitions and policies for `--crds`, and those of kinds outside of the Gateway API.

    Args:
        wanted: empty for Headgate's own, `none`, `VERSION[:CHANNEL]`, or the path of a file or folder.

    Raises:
        BundleError: with a remedy.
    """
    if not wanted:
        return crd.definitions()
    own = [definition for definition in crd.definitions() if not _is_gateway_api(definition)]
    if wanted == "none":
        return own
    if (path := Path(wanted)).exists():
        found = [obj for file in _files(path) for obj in _read(file)]
        if not found:
            raise BundleError(f"{path} holds no CustomResourceDefinition")
        names = {(obj["kind"], obj["metadata"]["name"]) for obj in found}
        return found + [obj for obj in own if (obj["kind"], obj["metadata"]["name"]) not in names]
    version, _, channel = wanted.partition(":")
    try:
        return releases.definitions(version, channel or "standard") + own
    except ValueError as error:
        raise BundleError(f"{error}, or the path of a file or folder with official definitions, or none") from None


def _is_gateway_api(definition: Object) -> bool:
    return str(definition["spec"]["group"]).startswith("gateway.networking.")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in sorted(path.iterdir()) if file.suffix in _ENDINGS]


def _read(file: Path) -> Iterator[Object]:
    try:
        documents = list(yaml.load_all(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (OSError, yaml.YAMLError) as error:
        raise BundleError(f"{file} cannot be read: {error}") from None
    for document in documents:
        if isinstance(document, dict) and document.get("kind") in _KINDS:
            if not isinstance((document.get("metadata") or {}).get("name"), str):
                raise BundleError(f"{file}: a {document['kind']} has no metadata.name")
            yield document


# --- into the store ---------------------------------------------------------------------------------------------------


def install(api: Api, wanted: list[Object]) -> None:
    """Remove definitions that are no longer selected, add missing ones, replace unedited ones. Raises `BundleError`.

    Removal comes first, because an outdated policy would still validate the new definitions.
    """
    names = {(obj["kind"], obj["metadata"]["name"]) for obj in wanted}
    for kind, collection in reversed(_KINDS.items()):
        for record in list(api.cache.collection(collection)):
            if (kind, record.key.name) not in names and _is_unedited(decode(record)):
                _retire(api, api.registry[collection], record)
    for obj in wanted:
        try:
            _store(api, api.registry[_KINDS[obj["kind"]]], {name: obj[name] for name in obj if name != "status"})
        except status_errors.StatusError as refusal:
            raise BundleError(refusal.message) from None


def _store(api: Api, holder: Resource, obj: Object) -> None:
    name, source = obj["metadata"]["name"], _hash(obj)
    record = api.record(holder, "", name)
    if record is None:
        api.create(holder, "v1", "", _marked(api, holder, obj, source))
        return
    there = decode(record)
    if _mark(there)[0] != source and _is_unedited(there):
        api.change(holder, "v1", "", name, _replaced_by(_marked(api, holder, obj, source)))


def _marked(api: Api, holder: Resource, obj: Object, source: str) -> Object:
    """The object with an annotation that identifies its content: as provided, and as stored with defaults."""
    kept = strategy.create(holder, "v1", copy.deepcopy(obj), namespace="", now=rfc3339(api.clock()), uid="", suffix="")
    metadata = obj["metadata"]
    annotations = {**(metadata.get("annotations") or {}), MARK: f"{source}.{_hash(kept['spec'])}"}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _mark(there: Object) -> tuple[str, str]:
    """The annotation of `_marked`: the hash of the provided object and of the stored spec; empty if there is none."""
    source, _, kept = (there["metadata"].get("annotations") or {}).get(MARK, "").partition(".")
    return source, kept


def _is_unedited(there: Object) -> bool:
    """Whether the content is still the one that an earlier start installed."""
    _, kept = _mark(there)
    return bool(kept) and kept == _hash(there["spec"])


def _retire(api: Api, holder: Resource, record: Record) -> None:
    name = record.key.name
    if holder.id == DEFINITIONS and api.cache.collection(name).records:
        log.warning("a definition that was not asked for stays, because there are objects of it", name=name)
        return
    waiting, gone = api.delete(holder, "", name, strategy.DeleteOptions(propagation="Background"))
    if not gone:
        there = decode(waiting)
        metadata = {key: value for key, value in there["metadata"].items() if key != "finalizers"}
        api.write(holder, there, {**there, "metadata": metadata})


def _replaced_by(wanted: Object) -> Callable[[Object], Object]:
    def edit(old: Object) -> Object:
        annotations = {**(old["metadata"].get("annotations") or {}), **wanted["metadata"]["annotations"]}
        return {**old, "metadata": {**old["metadata"], "annotations": annotations}, "spec": wanted["spec"]}

    return edit


def _hash(content: Object) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:16]
