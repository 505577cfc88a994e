"""The commands of a local cluster and their arguments. Pure."""

from dataclasses import dataclass
from pathlib import Path

from headgate.cluster.addresses import ClusterAddresses
from headgate.cluster.data_folder import DataFolder
from headgate.cluster.probes import HealthProbe
from headgate.cluster.supervisor import Component
from headgate.host.python import module_command

#: Controller names of well-known implementations, so that GatewayClasses for these work unmodified on a local cluster.
#: On a real cluster, where those implementations may run, Headgate serves its own controller name only.
WELL_KNOWN_CONTROLLERS = (
    "headgate.dev/gateway-controller",
    "gateway.envoyproxy.io/gatewayclass-controller",
    "istio.io/gateway-controller",
    "projectcontour.io/gateway-controller",
    "gateway.nginx.org/nginx-gateway-controller",
    "kgateway.dev/kgateway",
    "solo.io/gloo-gateway",
    "traefik.io/gateway-controller",
    "io.cilium/gateway-controller",
    "konghq.com/kic-gateway-controller",
    "konghq.com/gateway-operator",
    "haproxy-ingress.github.io/controller",
    "haproxy.org/gateway-controller",
    "gate.haproxy.org/hug",
    "getambassador.io/gateway-controller",
    "networking.gke.io/gateway",
    "gateway.networking.k8s.aws/alb",
    "alb.networking.azure.io/alb-controller",
    "airlock.com/gateway-controller",
    "higress.io/gateway-controller",
    "apisix.apache.org/apisix-ingress-controller",
    "easegress.megaease.com/gateway-controller",
)


@dataclass(frozen=True)
class ClusterOptions:
    """Options of `headgate up` beyond name and data folder.

    Args:
        images: `NAME=COMMAND` for the node, one per image.
        program: the command that starts `headgate`; by default with this interpreter.
        crds: the Gateway API definitions that the API starts with, see `headgate api --help`.
        pod_network: `shared` or `namespace`, see `headgate node --help`.
    """

    images: tuple[str, ...] = ()
    program: tuple[str, ...] = module_command("headgate")
    crds: str = ""
    pod_network: str = "shared"


def default_components(
    folder: DataFolder, addresses: ClusterAddresses, options: ClusterOptions
) -> tuple[Component, ...]:
    """API, workloads, node and controller, in the order in which they start; they stop in reverse order."""
    kubeconfig = ("--kubeconfig", str(folder.kubeconfig))
    headgate = options.program
    return (
        Component(
            "api",
            (*headgate, "api", *_api_flags(folder, addresses, options)),
            HealthProbe(addresses.api_port, "/readyz", tls=True, file=folder.kubeconfig),
        ),
        Component(
            "workloads",
            (*headgate, "workloads", *kubeconfig, "--health-port", str(addresses.workloads_health_port)),
            HealthProbe(addresses.workloads_health_port),
            depends_on=("api",),
        ),
        Component(
            "node",
            (*headgate, "node", "--schedule", *kubeconfig, *_node_flags(folder.node, addresses, options)),
            HealthProbe(addresses.node_port, "/healthz", tls=True),
            depends_on=("api",),
            grace=40.0,  # a pod gets 30 seconds
        ),
        Component(
            "controller",
            (*headgate, "controller", *kubeconfig, *_controller_flags(addresses)),
            HealthProbe(addresses.controller_health_port),
            depends_on=("api",),
        ),
    )


def _api_flags(folder: DataFolder, addresses: ClusterAddresses, choices: ClusterOptions) -> tuple[str, ...]:
    return (
        *("--data", str(folder.api)),
        *("--port", str(addresses.api_port)),
        *("--kubeconfig-out", str(folder.kubeconfig)),
        *(("--crds", choices.crds) if choices.crds else ()),
    )


def _node_flags(data: Path, addresses: ClusterAddresses, choices: ClusterOptions) -> tuple[str, ...]:
    return (
        *("--data", str(data)),
        *("--port", str(addresses.node_port)),
        *("--pod-cidr", str(addresses.pods)),
        *("--load-balancer-cidr", str(addresses.load_balancers)),
        *("--pod-network", choices.pod_network),
        *(part for image in choices.images for part in ("--image", image)),
    )


def _controller_flags(addresses: ClusterAddresses) -> tuple[str, ...]:
    return (
        "--no-lease",
        *("--xds-port", str(addresses.xds_port)),
        *("--xds-advertise", f"127.0.0.1:{addresses.xds_port}"),
        *("--health-port", str(addresses.controller_health_port)),
        *(part for name in WELL_KNOWN_CONTROLLERS for part in ("--controller-name", name)),
    )
