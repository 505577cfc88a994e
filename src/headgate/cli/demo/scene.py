"""What the demo applies and releases: the manifests of examples/shop/, untouched but for the pace of `--fast`."""

import importlib.resources
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from headgate.api import codec
from headgate.api.apps import Deployment
from headgate.api.delivery import Canary
from headgate.api.meta import Key
from headgate.kube.client import Client

SHOP = Key("shop", "shop")
HOST = "shop.example.com"
PORT = 80

Json = dict[str, Any]


@dataclass(frozen=True)
class Pace:
    """How fast the demo goes. `analysis` replaces fields of the Canary's analysis."""

    rate: float
    analysis: Mapping[str, Any] = field(default_factory=dict)


STEADY = Pace(rate=200)
_FAST_METRICS = [
    {"name": "request-success-rate", "interval": "3s", "thresholdRange": {"min": 99}},
    {"name": "request-duration", "interval": "3s", "thresholdRange": {"max": 500}},
]
FAST = Pace(
    rate=200,
    analysis={"interval": "1s", "stepWeight": 25, "maxWeight": 50, "threshold": 1, "metrics": _FAST_METRICS},
)


@dataclass(frozen=True)
class Release:
    """A new version of the shop, and how its rollout should end."""

    version: str
    environment: tuple[tuple[str, str], ...]
    ends: str
    about: str


GOOD = Release("1.1.0", (), "Succeeded", "a good version")
BAD = Release("1.2.0", (("ERROR_RATE", "0.3"),), "Failed", "a version that fails 30 % of its requests")


def examples() -> Traversable:
    """The folder of the manifests: within the package when installed, else in the source tree."""
    packaged = importlib.resources.files("headgate") / "examples" / "shop"
    if packaged.is_dir():
        return packaged
    return Path(__file__).parents[4] / "examples" / "shop"


def manifests(pace: Pace) -> Iterator[Json]:
    """The objects in the order of the files."""
    files = sorted((file for file in examples().iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    for file in files:
        for document in codec.manifests(file.read_text()):
            yield paced(document, pace)


def paced(document: Json, pace: Pace) -> Json:
    """The object; a Canary with the pace's analysis."""
    if document["kind"] != "Canary":
        return document
    spec = document["spec"]
    return {**document, "spec": {**spec, "analysis": {**spec["analysis"], **pace.analysis}}}


async def apply(client: Client, document: Json) -> None:
    """Create an object as it is written, unknown fields included."""
    kind = codec.find_kind(document["apiVersion"], document["kind"])
    if kind is None:
        raise codec.DecodeError(f"no kind {document['kind']!r} in {document['apiVersion']!r} is known here", "kind")
    path = kind.path(document["metadata"].get("namespace"))
    await client.request("POST", path, body=msgspec.json.encode(document))


async def release(client: Client, new: Release) -> None:
    """Set the image's tag and the environment, as `kubectl set image` and `kubectl set env` do."""
    deployment = await client.get_raw(Deployment, SHOP.name, SHOP.namespace)
    await client.json_patch(Deployment, SHOP.name, SHOP.namespace, edit(deployment, new))


def edit(deployment: Json, new: Release) -> list[Json]:
    """The JSON Patch of a release."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    image = container["image"].rpartition(":")[0] + f":{new.version}"
    given = dict(new.environment)
    kept = [variable for variable in container.get("env", ()) if variable["name"] not in {*given, "ERROR_RATE"}]
    environment = [*kept, *({"name": name, "value": value} for name, value in given.items())]
    path = "/spec/template/spec/containers/0"
    return [
        {"op": "test", "path": f"{path}/name", "value": container["name"]},
        {"op": "replace", "path": f"{path}/image", "value": image},
        {"op": "add", "path": f"{path}/env", "value": environment},
    ]


def phase(canary: Canary | None) -> str:
    """The phase of a Canary; empty when there is none."""
    return canary.status.phase if canary is not None else ""
