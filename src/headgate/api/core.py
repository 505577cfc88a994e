"""Kinds of the core group (`v1`): namespaces, configuration, services, pods, nodes, events."""

from typing import Any

import msgspec

from .meta import Condition, Object, ObjectMeta, Value


class NamespaceSpec(Value):
    """Finalizers that must be gone before a namespace is."""

    finalizers: tuple[str, ...] = ()


class NamespaceStatus(Value):
    """Phase Active or Terminating."""

    phase: str = ""


class Namespace(Object):
    """A namespace: a tenant's boundary."""

    api_version: str = "v1"
    kind: str = "Namespace"
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class Secret(Object):
    """A Secret; `data` values are base64 as on the wire. Its bytes never reach a `repr`."""

    api_version: str = "v1"
    kind: str = "Secret"
    type: str = "Opaque"
    immutable: bool | None = None
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Secret({self.key}, type={self.type!r}, keys={sorted(self.data)})"


class ConfigMap(Object):
    """A ConfigMap; `binary_data` values are base64."""

    api_version: str = "v1"
    kind: str = "ConfigMap"
    immutable: bool | None = None
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}


class ServiceAccount(Object):
    """An identity for pods."""

    api_version: str = "v1"
    kind: str = "ServiceAccount"
    automount_service_account_token: bool | None = None


class ServicePort(Value):
    """A port of a Service; `target_port` is a number or the name of a container port (defaults to `port`)."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None
    target_port: int | str | None = None
    node_port: int | None = None


class ServiceSpec(Value):
    """What a Service selects and how it is reached."""

    type: str = "ClusterIP"
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = ""
    cluster_ips: tuple[str, ...] = ()
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str | None = None
    external_name: str = ""
    external_ips: tuple[str, ...] = ()
    external_traffic_policy: str | None = None
    internal_traffic_policy: str | None = None
    load_balancer_ip: str | None = None
    load_balancer_class: str | None = None
    allocate_load_balancer_node_ports: bool | None = None
    publish_not_ready_addresses: bool | None = None
    session_affinity: str | None = None
    traffic_distribution: str | None = None


class LoadBalancerIngress(Value):
    """An address where a load balancer listens."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(Value):
    """The addresses of a Service of type LoadBalancer."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Value):
    """Where a Service can be reached from outside."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    conditions: tuple[Condition, ...] = ()


class Service(Object):
    """A Service."""

    api_version: str = "v1"
    kind: str = "Service"
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class ObjectReference(Value):
    """A reference to any object, as events and endpoints carry it."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class ObjectFieldSelector(Value):
    """A field of the pod, such as `status.podIP` or `metadata.name`."""

    field_path: str
    api_version: str = ""


class KeySelector(Value):
    """One key of a ConfigMap or Secret."""

    key: str
    name: str = ""
    optional: bool = False


class EnvVarSource(Value):
    """Where the value of an environment variable comes from."""

    field_ref: ObjectFieldSelector | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(Value):
    """An environment variable; `$(NAME)` in `value` refers to variables defined before it."""

    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class NamedSource(Value):
    """A whole ConfigMap or Secret by name."""

    name: str = ""
    optional: bool = False


class EnvFromSource(Value):
    """All keys of a ConfigMap or Secret as variables."""

    prefix: str = ""
    config_map_ref: NamedSource | None = None
    secret_ref: NamedSource | None = None


class ContainerPort(Value):
    """A port that a container listens on."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int | None = None


class HTTPHeader(Value):
    """A header of a probe."""

    name: str
    value: str


class HTTPGetAction(Value):
    """A GET; 2xx and 3xx are success."""

    port: int | str
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Value):
    """A TCP connection; being accepted is success."""

    port: int | str
    host: str = ""


class ExecAction(Value):
    """A command in the container; exit code 0 is success."""

    command: tuple[str, ...] = ()


class GRPCAction(Value):
    """A gRPC health check (`grpc.health.v1`)."""

    port: int
    service: str = ""


class SleepAction(Value):
    """Wait."""

    seconds: int


class Probe(Value):
    """A repeated check of a container; times are seconds."""

    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    exec: ExecAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class LifecycleHandler(Value):
    """What runs after a container's start or before its stop."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Value):
    """Hooks of a container."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None


class VolumeMount(Value):
    """Where a volume appears in a container."""

    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False


class Container(Value):
    """A container of a pod."""

    name: str
    image: str = ""
    image_pull_policy: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    resources: dict[str, dict[str, str | int | float]] = {}
    security_context: dict[str, Any] = {}


class KeyToPath(Value):
    """One key of a ConfigMap or Secret as a file."""

    key: str
    path: str
    mode: int | None = None


class SecretVolumeSource(Value):
    """A Secret as files."""

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool = False


class ConfigMapVolumeSource(Value):
    """A ConfigMap as files."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool = False


class EmptyDirVolumeSource(Value):
    """A folder that lives as long as the pod."""

    medium: str = ""


class HostPathVolumeSource(Value):
    """A path of the node itself."""

    path: str
    type: str = ""


class FieldToPath(Value):
    """A field of the pod as a file."""

    path: str
    field_ref: ObjectFieldSelector | None = None


class DownwardAPIVolumeSource(Value):
    """Fields of the pod as files."""

    items: tuple[FieldToPath, ...] = ()
    default_mode: int | None = None


class ConfigProjection(Value):
    """Keys of a ConfigMap or Secret within a projected volume."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class ServiceAccountTokenProjection(Value):
    """A token of the pod's account within a projected volume; renewed before it expires."""

    path: str
    audience: str = ""
    expiration_seconds: int = 3600


class VolumeProjection(Value):
    """One of the sources of a projected volume."""

    secret: ConfigProjection | None = None
    config_map: ConfigProjection | None = None
    downward_api: DownwardAPIVolumeSource | None = msgspec.field(default=None, name="downwardAPI")
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Value):
    """Several sources in one folder."""

    sources: tuple[VolumeProjection, ...] = ()
    default_mode: int | None = None


class Volume(Value):
    """A volume of a pod."""

    name: str
    secret: SecretVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = msgspec.field(default=None, name="downwardAPI")


class PodSpec(Value):
    """What a pod runs."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_name: str = ""
    service_account_name: str = ""
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None
    hostname: str = ""
    subdomain: str = ""
    scheduler_name: str = ""
    automount_service_account_token: bool | None = None
    security_context: dict[str, Any] = {}


class PodTemplateSpec(Value):
    """The pods that a workload makes."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()


class PodCondition(Value):
    """A condition of a pod (no observedGeneration before 1.33)."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_probe_time: str | None = None
    last_transition_time: str | None = None


class ContainerStateRunning(Value):
    """Running since."""

    started_at: str = ""


class ContainerStateTerminated(Value):
    """How a container ended."""

    exit_code: int = 0
    signal: int | None = None
    reason: str = ""
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    container_id: str = ""


class ContainerStateWaiting(Value):
    """Why a container does not run (yet)."""

    reason: str = ""
    message: str = ""


class ContainerState(Value):
    """Exactly one of the three."""

    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class ContainerStatus(Value):
    """The state of one container."""

    name: str
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    image_id: str = ""
    container_id: str = ""


class PodIP(Value):
    """An address of a pod."""

    ip: str = ""


class PodStatus(Value):
    """What a node reports of a pod."""

    phase: str = ""
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    host_ip: str = ""
    pod_ip: str = ""
    pod_ips: tuple[PodIP, ...] = ()
    start_time: str | None = None
    reason: str = ""
    message: str = ""
    qos_class: str = ""


class Pod(Object):
    """A pod."""

    api_version: str = "v1"
    kind: str = "Pod"
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class DaemonEndpoint(Value):
    """A port of a node's agent. Kubernetes spells the field with a capital letter."""

    port: int = msgspec.field(default=0, name="Port")


class NodeDaemonEndpoints(Value):
    """Where the kubelet answers."""

    kubelet_endpoint: DaemonEndpoint = DaemonEndpoint()


class NodeAddress(Value):
    """An address of a node; type InternalIP, ExternalIP or Hostname."""

    type: str
    address: str


class NodeSpec(Value):
    """Which pod addresses a node hands out."""

    pod_cidr: str = ""
    pod_cidrs: tuple[str, ...] = ()
    unschedulable: bool = False


class NodeStatus(Value):
    """Addresses and health of a node."""

    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[PodCondition, ...] = ()
    daemon_endpoints: NodeDaemonEndpoints = NodeDaemonEndpoints()
    capacity: dict[str, str | int] = {}
    allocatable: dict[str, str | int] = {}


class Node(Object):
    """A node."""

    api_version: str = "v1"
    kind: str = "Node"
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class EventSource(Value):
    """Who says it."""

    component: str = ""
    host: str = ""


class Event(Object):
    """Something that happened to an object (`core/v1`)."""

    api_version: str = "v1"
    kind: str = "Event"
    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    message: str = ""
    # Every component writes these two and kubectl shows them: a factory's value is encoded though it is the default.
    type: str = msgspec.field(default_factory=lambda: "Normal")
    source: EventSource = EventSource()
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: int = msgspec.field(default_factory=lambda: 1)
    event_time: str | None = None
    reporting_component: str = ""
    reporting_instance: str = ""
    action: str = ""
