"""The manifests and releases of the demo: examples/shop/, unchanged except for the analysis of `--fast`."""

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
class Speed:
    """The speed of the demo: requests per second, and fields that replace those of the Canary's analysis."""

    rate: float
    analysis: Mapping[str, Any] = field(default_factory=dict)


STEADY = Speed(rate=200)
_FAST_METRICS = [
    {"name": "request-success-rate", "interval": "3s", "thresholdRange": {"min": 99}},
    {"name": "request-duration", "interval": "3s", "thresholdRange": {"max": 500}},
]
FAST = Speed(
    rate=200,
    analysis={"interval": "1s", "stepWeight": 25, "maxWeight": 50, "threshold": 1, "metrics": _FAST_METRICS},
)


@dataclass(frozen=True)
class Release:
    """A new version of the shop, and the phase in which its rollout must end."""

    version: str
    environment: tuple[tuple[str, str], ...]
    expected_phase: str
    description: str


GOOD = Release("1.1.0", (), "Succeeded", "a good version")
BAD = Release("1.2.0", (("ERROR_RATE", "0.3"),), "Failed", "a version that fails 30 % of its requests")


def examples() -> Traversable:
    """The folder of the manifests: in the package if installed, otherwise in the source tree."""
    packaged = importlib.resources.files("headgate") / "examples" / "shop"
    if packaged.is_dir():
        return packaged
    return Path(__file__).parents[4] / "examples" / "shop"


def manifests(speed: Speed) -> Iterator[Json]:
    """The objects, in the order of the files."""
    files = sorted((file for file in examples().iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    for file in files:
        for document in codec.manifests(file.read_text()):
            yield with_speed(document, speed)


def with_speed(document: Json, speed: Speed) -> Json:
    """The object; a Canary gets the analysis fields of `speed`."""
    if document["kind"] != "Canary":
        return document
    spec = document["spec"]
    return {**document, "spec": {**spec, "analysis": {**spec["analysis"], **speed.analysis}}}


async def apply(client: Client, document: Json) -> None:
    """Create an object unchanged, including unknown fields."""
    kind = codec.find_kind(document["apiVersion"], document["kind"])
    if kind is None:
        raise codec.DecodeError(f"unsupported kind {document['kind']!r} in {document['apiVersion']!r}", "kind")
    path = kind.path(document["metadata"].get("namespace"))
    await client.request("POST", path, body=msgspec.json.encode(document))


async def release(client: Client, new: Release) -> None:
    """Set the tag of the image and the environment, like `kubectl set image` and `kubectl set env`."""
    deployment = await client.get_raw(Deployment, SHOP.name, SHOP.namespace)
    await client.json_patch(Deployment, SHOP.name, SHOP.namespace, release_patch(deployment, new))


def release_patch(deployment: Json, new: Release) -> list[Json]:
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
    """The phase of a Canary; empty without a Canary."""
    return canary.status.phase if canary is not None else ""
