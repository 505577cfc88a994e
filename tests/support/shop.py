"""The shop of examples/ on any Kubernetes API that Headgate serves: its manifests, its releases, its address."""

from __future__ import annotations

import copy
import functools
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from headgate.traffic import Target
from support.kubectl import Kubectl
from support.waiting import until

EXAMPLES = Path(__file__).parents[2] / "examples" / "shop"
HOST = "shop.example.com"
#: Names of the Deployments by which answers say who gave them.
CANARY, PRIMARY = "shop", "shop-primary"
ENDED = ("Succeeded", "Failed")

Json = dict[str, Any]


def analysis(**fields: Any) -> Json:
    """An analysis at the fastest pace, judged by the share of good answers; `fields` replace some of it."""
    return {
        "interval": "1s",
        "threshold": 2,
        "stepWeight": 25,
        "maxWeight": 50,
        "metrics": [{"name": "request-success-rate", "interval": "2s", "thresholdRange": {"min": 95}}],
        **fields,
    }


class Shop:
    """A shop in a namespace of its own."""

    def __init__(self, kubectl: Kubectl, name: str, analysis: Mapping[str, Any]) -> None:
        """The namespace begins with `name`; nobody else on this machine has it. `analysis` is the Canary's."""
        self.kubectl = kubectl
        self.namespace = f"{name}-{secrets.token_hex(4)}"
        self.analysis = dict(analysis)

    @property
    def gateway(self) -> str:
        """The Gateway as its Envoy names it; no other process of this machine does."""
        return f"{self.namespace}/shop"

    # ── doing ────────────────────────────────────────────────────────────────

    def manifests(self) -> list[Json]:
        """Those of examples/shop, in this namespace and at this pace."""
        documents = [
            document
            for file in sorted(EXAMPLES.glob("*.yaml"))
            for document in yaml.load_all(file.read_text(), yaml.CSafeLoader)
        ]
        return [self._own(document) for document in documents]

    def _own(self, document: Json) -> Json:
        own = copy.deepcopy(document)
        if own["kind"] == "Namespace":
            own["metadata"]["name"] = self.namespace
        elif "namespace" in own["metadata"]:
            own["metadata"]["namespace"] = self.namespace
        if own["kind"] == "Canary":
            own["spec"]["analysis"] = self.analysis
            own["spec"]["service"]["gatewayRefs"] = [{"name": "shop", "namespace": self.namespace}]
        return own

    def apply(self) -> None:
        """`kubectl apply` of everything."""
        self.kubectl.apply(yaml.safe_dump_all(self.manifests()))

    def open(self) -> None:
        """Everything applied, and the shop answers through its Gateway."""
        self.apply()
        self.wait_for_phase("Initialized")
        self("wait", "gateway/shop", "--for=condition=Programmed", "--timeout=60s", timeout=70)

    def release(self, version: str, **environment: str) -> None:
        """A new tag and these variables, by `kubectl patch`."""
        container = self.json("deployment", "shop")["spec"]["template"]["spec"]["containers"][0]
        kept = [variable for variable in container["env"] if variable["name"] not in ("ERROR_RATE", "LATENCY")]
        given = [{"name": name, "value": value} for name, value in environment.items()]
        image = f"{container['image'].rpartition(':')[0]}:{version}"
        at = "/spec/template/spec/containers/0"
        patch = [
            {"op": "replace", "path": f"{at}/image", "value": image},
            {"op": "replace", "path": f"{at}/env", "value": [*kept, *given]},
        ]
        self("patch", "deployment", "shop", "--type=json", f"-p={json.dumps(patch)}")

    def close(self) -> None:
        """Delete all of it; nobody waits for the end."""
        self.kubectl("delete", "namespace", self.namespace, "--wait=false")

    # ── asking ───────────────────────────────────────────────────────────────

    def __call__(self, *arguments: str, timeout: float = 60.0) -> str:
        """kubectl in the shop's namespace."""
        return self.kubectl("-n", self.namespace, *arguments, timeout=timeout)

    def json(self, kind: str, name: str) -> Any:
        """An object."""
        return json.loads(self("get", kind, name, "-o", "json"))

    def phase(self) -> str:
        """The phase of the Canary."""
        return self("get", "canary", "shop", "-o", "jsonpath={.status.phase}")

    def wait_for_phase(self, *phases: str, deadline: float = 60.0) -> str:
        """Until the Canary is in one of these phases."""

        def reached() -> str:
            now = self.phase()
            return now if now in phases else ""

        try:
            return until(reached, deadline=deadline, what=f"phase {' or '.join(phases)}", every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self('describe', 'canary', 'shop')}") from None

    def answers(self) -> bool:
        """Whether the shop answers through its Gateway."""
        url = f"http://{self.target.address}:{self.target.port}/"
        try:
            return httpx.get(url, headers={"Host": HOST}, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def events(self) -> list[str]:
        """What was said about the Canary, in order."""
        items = json.loads(self("get", "events", "-o", "json"))["items"]
        said = [each for each in items if each["involvedObject"]["kind"] == "Canary"]
        return [each["message"] for each in sorted(said, key=lambda each: each["metadata"]["name"])]

    def images(self, deployment: str) -> list[str]:
        """The tags that a Deployment's containers have."""
        containers = self.json("deployment", deployment)["spec"]["template"]["spec"]["containers"]
        return [container["image"].rpartition(":")[2] for container in containers]

    @functools.cached_property
    def target(self) -> Target:
        """Where requests go: the Gateway's address, and its port, or the one that Programmed names instead."""
        gateway = self.json("gateway", "shop")
        message = next(each["message"] for each in gateway["status"]["conditions"] if each["type"] == "Programmed")
        port = 10080 if "10080" in message else 80
        return Target(gateway["status"]["addresses"][0]["value"], port, host=HOST)
