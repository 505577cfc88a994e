"""The objects of Envoys' fleets, as the watches brought them."""

from headgate import fleet
from headgate.api import apps, core
from headgate.api.meta import Key, Object
from headgate.fleet.names import GATEWAY_LABEL, label_value

#: The kinds that are watched, of objects with the labels of `SELECTOR`.
KINDS: tuple[type[Object], ...] = (apps.Deployment, core.Pod, core.Service)
SELECTOR = "app.kubernetes.io/managed-by=headgate,app.kubernetes.io/component=envoy"


class FleetObjects:
    """A cache of Deployments, pods and Services."""

    def __init__(self) -> None:
        self._objects: dict[type[Object], dict[Key, Object]] = {cls: {} for cls in KINDS}
        #: Gateways that own a Deployment or a Service, whether or not they need it.
        self.owners: set[Key] = set()

    def set(self, cls: type[Object], key: Key, new: Object | None) -> Object | None:
        """Store an object, or (None) delete it. The last state that is known: of a deleted object the one before."""
        previous = self._objects[cls].pop(key, None)
        if new is not None:
            self._objects[cls][key] = new
        last = new or previous
        gateway = fleet.owner(last) if last is not None else None
        if gateway is not None:
            self.owners.add(gateway)
        return last

    def service(self, key: Key) -> core.Service | None:
        """A Service by namespace and name."""
        service = self._objects[core.Service].get(key)
        return service if isinstance(service, core.Service) else None

    def pods(self, gateway: Key) -> list[core.Pod]:
        """The pods of a Gateway, by name."""
        return [
            pod
            for _, pod in sorted(self._objects[core.Pod].items())
            if isinstance(pod, core.Pod) and is_pod_of(pod, gateway)
        ]


def is_pod_of(pod: core.Pod, gateway: Key) -> bool:
    """Whether a pod is labelled as one of a Gateway's Envoys."""
    label = pod.metadata.labels.get(GATEWAY_LABEL)
    return pod.metadata.namespace == gateway.namespace and label == label_value(gateway.name)
