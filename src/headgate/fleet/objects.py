"""Deployment, Service, ServiceAccount and Secret of the Envoys of a Gateway."""

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

#: The image of Envoy's pods. The local node runs its built-in image `envoy` instead.
ENVOY_IMAGE = "docker.io/envoyproxy/envoy:v1.40.0"
#: Paths in the container: of the mounted certificate, and of the directory with Envoy's admin socket.
CERTIFICATES = "/etc/headgate/xds"
RUNTIME = "/var/run/headgate"
#: Seconds that Envoy serves on after it began to drain, and the grace period of its pod.
DRAIN = 5
GRACE = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that are the same for all Gateways of a controller.

    `xds_address` is the `HOST:PORT` that Envoys connect to.
    """

    xds_address: str
    image: str = ENVOY_IMAGE
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Envoys:
    """What the objects of one Gateway depend on.

    `controller` is the controller name of its class, `ports` are those of its accepted listeners, sorted, `addresses`
    the ones of `spec.addresses`.
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
    """The objects of one Gateway, in the order in which they are written. Without a listener there is no Service."""

    secret: core.Secret
    service_account: core.ServiceAccount
    service: core.Service | None
    deployment: apps.Deployment


def name(gateway: Key, class_name: str) -> Key:
    """Namespace and name of the objects of a Gateway."""
    return Key(gateway.namespace, names.resource_name(gateway, class_name))


def owner(obj: Object) -> Key | None:
    """The Gateway that controls an object, by its owner references."""
    for reference in obj.metadata.owner_references:
        if reference.controller and reference.kind == "Gateway":
            return Key(obj.metadata.namespace, reference.name)
    return None


def labels(envoys: Envoys) -> dict[str, str]:
    """All labels of the objects: those of the Gateway's infrastructure, overridden by ours."""
    return pods.labels(envoys.gateway, envoys.labels) | {names.CLASS_LABEL: names.label_value(envoys.class_name)}


def objects(
    envoys: Envoys, settings: Settings, identity: Mapping[str, bytes], present: apps.Deployment | None = None
) -> Workload:
    """The objects of a Gateway's Envoys. The pod template does not depend on listeners: a new listener restarts no pod.

    Args:
        envoys: what the objects depend on.
        settings: the same for all Gateways.
        identity: the files of the Envoys' certificate, by name.
        present: the Deployment as it is, None if there is none.
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
        deployment=_deployment(envoys, settings, meta, present),
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
    """The Service. `targetPort` is the listener's port, which the pods may bind (see the sysctl).

    `loadBalancerIP` requests an address from the load balancer (of a cloud, MetalLB, or the local node); it has room
    for one. `externalIPs` are not used: they take an address without a check of who owns it, and many clusters reject
    them for that.
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
    envoys: Envoys, settings: Settings, meta: ObjectMeta, present: apps.Deployment | None
) -> apps.Deployment:
    template = _pods(envoys, settings, meta.name)
    digest = {pods.DIGEST: pods.digest(template)}
    return apps.Deployment(
        metadata=msgspec.structs.replace(meta, annotations=meta.annotations | digest),
        spec=apps.DeploymentSpec(
            # Without a listener there is no Service, and Envoys would wait for its address for ever.
            replicas=settings.replicas if envoys.ports else 0,
            selector=LabelSelector(match_labels=pods.selector(envoys.gateway)),
            strategy=apps.DeploymentStrategy(
                type="RollingUpdate", rolling_update=apps.RollingUpdate(max_unavailable=0, max_surge=1)
            ),
            template=pods.with_present_metadata(template, present),
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

#: Envoy ends requests in flight on SIGTERM, so it is drained before, over its admin socket. The image has no curl, but
#: perl.
_DRAIN_COMMAND = (
    "perl",
    "-MIO::Socket::UNIX",
    "-e",
    f'my $admin = IO::Socket::UNIX->new(Peer => "{RUNTIME}/admin.sock") or exit 0;'
    ' print $admin "POST /drain_listeners?graceful HTTP/1.1\\r\\nHost: admin\\r\\nContent-Length: 0\\r\\n'
    'Connection: close\\r\\n\\r\\n"; my @answer = <$admin>;'
    f" sleep {DRAIN};",
)
