"""Namespaces, nodes, configuration, accounts, events, leases, roles."""

import base64
import re
from collections.abc import Iterator

from headgate.api.problems import Problem
from headgate.localapi.http import tables
from headgate.localapi.resources.served import Column, Object, Strategy

# --- namespaces -------------------------------------------------------------------------------------------------------

NAME_LABEL = "kubernetes.io/metadata.name"


def _prepare_namespace(new: Object, old: Object | None) -> None:
    metadata = new["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), NAME_LABEL: metadata["name"]}
    finalizers = ["kubernetes"] if old is None else (old.get("spec") or {}).get("finalizers")
    new["spec"] = {"finalizers": finalizers} if finalizers else {}


NAMESPACE = Strategy(prepare=_prepare_namespace, initial_status=lambda new: {"phase": "Active"})
NAMESPACE_COLUMNS = (Column("Status", lambda obj, now: (obj.get("status") or {}).get("phase", "")), tables.AGE)

# --- nodes ------------------------------------------------------------------------------------------------------------

#: A kubelet creates its node with a status.
NODE = Strategy(initial_status=lambda new: new.get("status") or {})
_ROLE = "node-role.kubernetes.io/"


def _node_status(node: Object, now: float) -> str:
    ready = next((c for c in (node.get("status") or {}).get("conditions") or () if c["type"] == "Ready"), None)
    word = "Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if (node.get("spec") or {}).get("unschedulable") else word


def _roles(node: Object, now: float) -> str:
    labels = node["metadata"].get("labels") or {}
    return ",".join(sorted(label[len(_ROLE) :] for label in labels if label.startswith(_ROLE))) or "<none>"


def _node_info(name: str, missing: str = "<unknown>") -> Column:
    titles = {
        "kubeletVersion": "Version",
        "osImage": "OS-Image",
        "kernelVersion": "Kernel-Version",
        "containerRuntimeVersion": "Container-Runtime",
    }
    priority = 0 if name == "kubeletVersion" else 1
    return Column(
        titles[name],
        lambda node, now: ((node.get("status") or {}).get("nodeInfo") or {}).get(name) or missing,
        priority=priority,
    )


def _address(kind: str) -> Column:
    def read(node: Object, now: float) -> str:
        addresses = (node.get("status") or {}).get("addresses") or ()
        return str(next((a["address"] for a in addresses if a["type"] == kind), "<none>"))

    return Column({"InternalIP": "Internal-IP", "ExternalIP": "External-IP"}[kind], read, priority=1)


NODE_COLUMNS = (
    Column("Status", _node_status),
    Column("Roles", _roles),
    tables.AGE,
    _node_info("kubeletVersion", ""),
    _address("InternalIP"),
    _address("ExternalIP"),
    _node_info("osImage"),
    _node_info("kernelVersion"),
    _node_info("containerRuntimeVersion"),
)

# --- configuration ----------------------------------------------------------------------------------------------------

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
#: Keys that a Secret of a well-known type must have.
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _prepare_secret(new: Object, old: Object | None) -> None:
    new["type"] = new.get("type") or "Opaque"
    plain = new.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        new["data"] = {**(new.get("data") or {}), **encoded}


def _secret_problems(new: Object, old: Object | None) -> Iterator[Problem]:
    yield from _configuration_problems(new, old, encoded=("data",))
    for key in _REQUIRED_KEYS.get(new["type"], ()):
        if key not in (new.get("data") or {}):
            yield Problem(
                f"data[{key}]", "FieldValueRequired", f"Required value: a Secret of type {new['type']} has it"
            )
    if old is not None and new["type"] != old["type"]:
        yield Problem("type", "FieldValueInvalid", f'Invalid value: "{new["type"]}": field is immutable')


def _config_map_problems(new: Object, old: Object | None) -> Iterator[Problem]:
    yield from _configuration_problems(new, old, plain=("data",), encoded=("binaryData",))


#: The limit of all values of a ConfigMap or Secret together, in bytes, after base64 is decoded: as in Kubernetes.
LARGEST_DATA = 1024 * 1024


def _configuration_problems(
    new: Object, old: Object | None, *, plain: tuple[str, ...] = (), encoded: tuple[str, ...] = ()
) -> Iterator[Problem]:
    texts = [value for field in plain for value in (new.get(field) or {}).values()]
    binaries = [value for field in encoded for value in (new.get(field) or {}).values()]
    total = sum(len(text.encode()) for text in texts) + sum(len(text) // 4 * 3 - text.count("=") for text in binaries)
    if total > LARGEST_DATA:
        message = f"Too long: may not be more than {LARGEST_DATA} bytes"
        yield Problem("data", "FieldValueTooLong", message)
    for field in (*plain, *encoded):
        for key in new.get(field) or {}:
            if not _KEY.fullmatch(key):
                rule = "a key consists of letters, digits, '-', '_' and '.'"
                yield Problem(f"{field}[{key}]", "FieldValueInvalid", f'Invalid value: "{key}": {rule}')
        if old is not None and old.get("immutable") and new.get(field) != old.get(field):
            yield Problem(field, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")
    if old is not None and old.get("immutable") and not new.get("immutable"):
        yield Problem("immutable", "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")


def _count(*fields: str) -> Column:
    return Column("Data", lambda obj, now: sum(len(obj.get(field) or ()) for field in fields), "integer")


SECRET = Strategy(prepare=_prepare_secret, validate=_secret_problems)
SECRET_COLUMNS = (Column("Type", lambda obj, now: obj["type"]), _count("data"), tables.AGE)
CONFIG_MAP = Strategy(validate=_config_map_problems)
CONFIG_MAP_COLUMNS = (_count("data", "binaryData"), tables.AGE)
SERVICE_ACCOUNT_COLUMNS = (
    Column("Secrets", lambda obj, now: len(obj.get("secrets") or ()), "integer"),
    tables.AGE,
)

# --- events -----------------------------------------------------------------------------------------------------------


def _event_problems(new: Object, old: Object | None) -> Iterator[Problem]:
    about = new.get("involvedObject") or {}
    # Events about cluster-scoped objects are in a system namespace.
    allowed = {about["namespace"]} if about.get("namespace") else {"default", "kube-system"}
    if new["metadata"]["namespace"] not in allowed:
        yield Problem(
            "involvedObject.namespace",
            "FieldValueInvalid",
            f'Invalid value: "{about.get("namespace", "")}": does not match event.namespace',
        )


def _event_object(event: Object, now: float) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(event: Object, now: float) -> str:
    source = event.get("source") or {}
    words = [
        source.get("component") or event.get("reportingComponent"),
        source.get("host") or event.get("reportingInstance"),
    ]
    return ", ".join(word for word in words if word)


def _seen(name: str) -> Column:
    def read(event: Object, now: float) -> str:
        moment = event.get(name) or event.get("eventTime") or event["metadata"].get("creationTimestamp")
        return tables.since(moment, now)

    return Column(
        {"lastTimestamp": "Last Seen", "firstTimestamp": "First Seen"}[name], read, priority=int(name[0] == "f")
    )


EVENT = Strategy(validate=_event_problems)
EVENT_COLUMNS = (
    _seen("lastTimestamp"),
    Column("Type", lambda event, now: event.get("type", "")),
    Column("Reason", lambda event, now: event.get("reason", "")),
    Column("Object", _event_object),
    Column("Subobject", lambda event, now: (event.get("involvedObject") or {}).get("fieldPath", ""), priority=1),
    Column("Source", _event_source, priority=1),
    Column("Message", lambda event, now: str(event.get("message", "")).strip()),
    _seen("firstTimestamp"),
    Column("Count", lambda event, now: event.get("count") or 1, "integer", priority=1),
    Column("Name", lambda event, now: event["metadata"]["name"], priority=1),
)

# --- leases, roles ----------------------------------------------------------------------------------------------------

LEASE_COLUMNS = (Column("Holder", lambda obj, now: (obj.get("spec") or {}).get("holderIdentity") or ""), tables.AGE)
ROLE_COLUMNS = (Column("Created At", lambda obj, now: obj["metadata"]["creationTimestamp"], "date"),)


def _subjects(kind: str) -> Column:
    titles = {"User": "Users", "Group": "Groups", "ServiceAccount": "ServiceAccounts"}

    def read(obj: Object, now: float) -> str:
        found = [subject for subject in obj.get("subjects") or () if subject.get("kind") == kind]
        return ", ".join("/".join(filter(None, (s.get("namespace"), s["name"]))) for s in found)

    return Column(titles[kind], read, priority=1)


BINDING_COLUMNS = (
    Column("Role", lambda obj, now: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"),
    tables.AGE,
    _subjects("User"),
    _subjects("Group"),
    _subjects("ServiceAccount"),
)
