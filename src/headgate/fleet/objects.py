"""Gateway -> Deployment, Service, ServiceAccount and Secret of its Envoys."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from headgate.api import apps, core
from headgate.api.meta import Key, LabelSelector, Object, ObjectMeta, OwnerReference
from headgate.envoy import bootstrap
from headgate.ir.routing import Transport
from headgate.world import EnvoyFleetSpec

from . import names, pods

#: What runs in clusters; the node's built-in image `envoy` takes its place on a laptop.
ENVOY_IMAGE = "docker.io/envoyproxy/envoy:v1.40.0"
#: Where the certificate of a Gateway's Envoys is mounted, and where Envoy puts its admin socket.
CERTIFICATES = "/etc/headgate/xds"
RUNTIME = "/var/run/headgate"
#: Seconds that Envoy goes on serving after it was told to drain; then seconds until it is killed.
DRAIN = 5
GRACE = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all Gateways of a controller.

    `xds_address` is `HOST:PORT` as the Envoys reach the controller.
    """

    xds_address: str
    image: str = ENVOY_IMAGE
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Envoys:
    """What one Gateway asks for.

    `controller` is the controller name of its class, `ports` are those of its valid listeners, sorted, `addresses` the
    addresses that must be had.
    """

    gateway: Key
    uid: str
    api_version: str
    class_name: str
    controller: str
    ports: tuple[tuple[Transport, int], ...]
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    #: Whether they are reachable from inside of the cluster only.
    internal: bool = False

    @classmethod
    def of(cls, gateway: Key, spec: EnvoyFleetSpec, *, api_version: str, controller: str) -> Self:
        """From the spec of a fleet, the apiVersion of the Gateway and the controller name of its class."""
        return cls(
            gateway=gateway,
            uid=spec.uid,
            api_version=api_version,
            class_name=spec.class_name,
            controller=controller,
            ports=spec.ports,
            labels=spec.labels,
            annotations=spec.annotations,
            addresses=spec.addresses,
            internal=spec.internal,
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """The objects of one Gateway, in the order in which they are needed. `service` waits for a first listener."""

    secret: core.Secret
    service_account: core.ServiceAccount
    service: core.Service | None
    deployment: apps.Deployment


def name(gateway: Key, class_name: str) -> Key:
    """Where the objects of a Gateway are."""
    return Key(gateway.namespace, names.resource_name(gateway, class_name))


def owner(found: Object) -> Key | None:
    """The Gateway that controls an object, by its owner references."""
    for reference in found.metadata.owner_references:
        if reference.controller and reference.kind == "Gateway":
            return Key(found.metadata.namespace, reference.name)
    return None


def labels(envoys: Envoys) -> dict[str, str]:
    """All labels of the objects: the Gateway's own infrastructure labels, then ours, which win."""
    return pods.labels(envoys.gateway, envoys.labels) | {names.CLASS_LABEL: names.label_value(envoys.class_name)}


def objects(
    envoys: Envoys, settings: Settings, identity: Mapping[str, bytes], standing: apps.Deployment | None = None
) -> Workload:
    """Everything that a Gateway's Envoys need. The pod template does not depend on listeners: a new one must restart
    nothing. `identity` are the files of their certificate, `standing` is the Deployment that is there.
    """
    meta = _meta(envoys)
    return Workload(
        secret=core.Secret(
            metadata=meta,
            type="Opaque",
            data={file: base64.b64encode(content).decode() for file, content in sorted(identity.items())},
        ),
        service_account=core.ServiceAccount(metadata=meta, automount_service_account_token=False),
        service=_service(envoys, meta) if envoys.ports else None,
        deployment=_deployment(envoys, settings, meta, standing),
    )


def _meta(envoys: Envoys) -> ObjectMeta:
    where = name(envoys.gateway, envoys.class_name)
    return ObjectMeta(
        name=where.name,
        namespace=where.namespace,
        labels=labels(envoys),
        annotations={**envoys.annotations, names.CONTROLLER_ANNOTATION: envoys.controller},
        owner_references=(
            OwnerReference(
                api_version=envoys.api_version,
                kind="Gateway",
                name=envoys.gateway.name,
                uid=envoys.uid,
                controller=True,
                block_owner_deletion=True,
            ),
        ),
    )


def _service(envoys: Envoys, meta: ObjectMeta) -> core.Service:
    """Ports are the same everywhere: `targetPort` is the listener's port, which the pods may bind (see the sysctl).

    An address is asked for by `loadBalancerIP`, which clouds, MetalLB and our node understand; `externalIPs` would be
    taken without asking anybody whose they are, and many clusters refuse them for that. It holds one address.
    """
    return core.Service(
        metadata=meta,
        spec=core.ServiceSpec(
            type="ClusterIP" if envoys.internal else "LoadBalancer",
            selector=pods.selector(envoys.gateway),
            load_balancer_ip=envoys.addresses[0] if envoys.addresses else None,
            ports=tuple(
                core.ServicePort(name=f"{transport.lower()}-{port}", port=port, target_port=port, protocol=transport)
                for transport, port in envoys.ports
            ),
        ),
    )


def _deployment(
    envoys: Envoys, settings: Settings, meta: ObjectMeta, standing: apps.Deployment | None
) -> apps.Deployment:
    template = _pods(envoys, settings, meta.name)
    digest = {pods.DIGEST: pods.digest(template)}
    return apps.Deployment(
        metadata=msgspec.structs.replace(meta, annotations=meta.annotations | digest),
        spec=apps.DeploymentSpec(
            # Nothing to serve, no Service, no Envoys: they would wait for an address that never comes.
            replicas=settings.replicas if envoys.ports else 0,
            selector=LabelSelector(match_labels=pods.selector(envoys.gateway)),
            strategy=apps.DeploymentStrategy(
                type="RollingUpdate", rolling_update=apps.RollingUpdate(max_unavailable=0, max_surge=1)
            ),
            template=pods.kept(template, standing),
        ),
    )


def _pods(envoys: Envoys, settings: Settings, account: str) -> core.PodTemplateSpec:
    return core.PodTemplateSpec(
        metadata=pods.metadata(envoys.gateway, envoys.labels, envoys.annotations),
        spec=core.PodSpec(
            service_account_name=account,
            automount_service_account_token=False,
            termination_grace_period_seconds=GRACE,
            security_context={
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
                "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
            },
            containers=(_envoy(envoys, settings),),
            volumes=(
                core.Volume(name="certificates", secret=core.SecretVolumeSource(secret_name=account)),
                core.Volume(name="runtime", empty_dir=core.EmptyDirVolumeSource()),
            ),
        ),
    )


def _field(variable: str, path: str) -> core.EnvVar:
    return core.EnvVar(name=variable, value_from=core.EnvVarSource(field_ref=core.ObjectFieldSelector(field_path=path)))


def _envoy(envoys: Envoys, settings: Settings) -> core.Container:
    host, _, port = settings.xds_address.rpartition(":")
    return core.Container(
        name="envoy",
        image=settings.image,
        args=(
            "--config-yaml",
            bootstrap.bootstrap_json(
                xds_host=host,
                xds_port=int(port),
                certificates=CERTIFICATES,
                admin_socket=f"{RUNTIME}/admin.sock",
                address="$(POD_IP)",
                bind="pod",
            ),
            "--disable-hot-restart",
            "--service-node",
            "$(POD_NAME)",
            "--service-cluster",
            f"{envoys.gateway.namespace}/{envoys.gateway.name}",
            "--drain-time-s",
            str(DRAIN),
            "--log-level",
            "warning",
        ),
        env=(_field("POD_IP", "status.podIP"), _field("POD_NAME", "metadata.name")),
        ports=(core.ContainerPort(name="metrics", container_port=bootstrap.METRICS_PORT),),
        readiness_probe=core.Probe(
            http_get=core.HTTPGetAction(path="/ready", port=bootstrap.METRICS_PORT),
            period_seconds=2,
            timeout_seconds=2,
            failure_threshold=2,
        ),
        lifecycle=core.Lifecycle(pre_stop=core.LifecycleHandler(exec=core.ExecAction(command=_DRAIN_COMMAND))),
        volume_mounts=(
            core.VolumeMount(name="certificates", mount_path=CERTIFICATES, read_only=True),
            core.VolumeMount(name="runtime", mount_path=RUNTIME),
        ),
        resources={"requests": {"cpu": "100m", "memory": "128Mi"}},
        security_context=_CONTAINER_SECURITY,
    )


_CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

#: SIGTERM alone kills requests in flight (tried): first ask Envoy to drain, over its admin socket. The image has no
#: curl; it has perl, as every Debian has.
_DRAIN_COMMAND = (
    "perl",
    "-MIO::Socket::UNIX",
    "-e",
    f'my $admin = IO::Socket::UNIX->new(Peer => "{RUNTIME}/admin.sock") or exit 0;'
    ' print $admin "POST /drain_listeners?graceful HTTP/1.1\\r\\nHost: admin\\r\\nContent-Length: 0\\r\\n'
    'Connection: close\\r\\n\\r\\n"; my @answer = <$admin>;'
    f" sleep {DRAIN};",
)
