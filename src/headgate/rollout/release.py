"""One release, read: what a rule of the machine asks of `Seen`, computed once and by name."""

from functools import cached_property

import msgspec

from headgate.api import codec, times
from headgate.api.apps import Deployment
from headgate.api.delivery import Canary, CanaryService, CanaryStatus
from headgate.api.gateway import HTTPRoute

from . import configs, go, primary, revision
from .configs import Tracked
from .effects import Json
from .problems import RefusedError
from .readiness import Unready, unready
from .seen import Names, Ref, Seen
from .settings import Settings
from .status import PROMOTED, condition

#: Seconds of `progressDeadlineSeconds` when the Canary names none.
DEADLINE = 600
#: Shortest interval of an analysis; Flagger's is 10 s.
SHORTEST_INTERVAL = 1.0


class Release:
    """A Canary and the objects around it. Properties raise `RefusedError` where the spec cannot be followed."""

    def __init__(self, seen: Seen, now: float, settings: Settings) -> None:
        self.seen = seen
        self.now = now
        self.settings = settings
        self.canary = codec.convert(Canary, seen.canary)
        self.names = Names.of(self.canary)

    # ── the spec ─────────────────────────────────────────────────────────────

    @cached_property
    def service(self) -> CanaryService:
        """`spec.service`."""
        if self.canary.spec.service is None:
            raise RefusedError("spec.service", "is missing; set at least service.port")
        return self.canary.spec.service

    @cached_property
    def interval(self) -> float:
        """Seconds between two ticks of the analysis."""
        try:
            return max(SHORTEST_INTERVAL, go.seconds(self.canary.spec.analysis.interval or "1m"))
        except ValueError:
            return 60.0

    @property
    def threshold(self) -> int:
        """Failed checks that end the analysis."""
        return max(1, self.canary.spec.analysis.threshold)

    @property
    def deadline(self) -> float:
        """Seconds without progress after which waiting ends."""
        return float(self.canary.spec.progress_deadline_seconds or DEADLINE)

    @property
    def kind(self) -> str:
        """The kind of the target."""
        return self.canary.spec.target_ref.kind

    # ── the status ───────────────────────────────────────────────────────────

    @property
    def status(self) -> CanaryStatus:
        """The Canary's status."""
        return self.canary.status

    @property
    def phase(self) -> str:
        """The phase; a status without conditions is a beginning, whatever it says."""
        return self.status.phase if self.status.conditions else ""

    @property
    def weight(self) -> int:
        """The canary's weight that the route has, or should have."""
        return self.status.canary_weight

    @property
    def changed_at(self) -> float:
        """When the status was last written."""
        return times.seconds(self.status.last_transition_time) or self.now

    @property
    def began_at(self) -> float:
        """When the analysis of this revision began."""
        promoted = condition(self.status, PROMOTED)
        if promoted and promoted.reason == "Progressing":
            return times.seconds(promoted.last_update_time) or self.now
        return self.now

    @property
    def stalled(self) -> bool:
        """Whether nothing was achieved for the time that the Canary allows."""
        return self.now - self.changed_at > self.deadline

    # ── the objects ──────────────────────────────────────────────────────────

    @cached_property
    def target(self) -> Json:
        """The Deployment that is released. Raises `RefusedError` when it is not there."""
        found = self.seen.objects.get(Ref(Deployment, self.names.key(self.names.target)))
        if found is None:
            name = f"{self.names.target}.{self.names.namespace}"
            message = f'deployment {name} get query error: deployments.apps "{self.names.target}" not found'
            raise RefusedError("spec.targetRef.name", message, "TargetNotFound")
        return found

    @cached_property
    def primary(self) -> Json | None:
        """The Deployment that serves."""
        return self.seen.objects.get(Ref(Deployment, self.names.key(self.names.primary)))

    @cached_property
    def route(self) -> Json | None:
        """The HTTPRoute."""
        return self.seen.objects.get(Ref(HTTPRoute, self.names.key(self.names.apex)))

    @property
    def target_replicas(self) -> int:
        """How many pods the target wants."""
        return int(self.target["spec"].get("replicas", 1))

    @property
    def full_replicas(self) -> int:
        """How many pods the target gets when it is scaled up again."""
        return int((self.primary or self.target)["spec"].get("replicas", 1)) or 1

    @cached_property
    def primary_unready(self) -> Unready | None:
        """Why the primary is not ready."""
        if self.primary is None:
            return Unready("waiting for the primary to be created")
        threshold = self.canary.spec.analysis.primary_ready_threshold
        return self._unready(self.primary, 100 if threshold is None else threshold)

    @cached_property
    def canary_unready(self) -> Unready | None:
        """Why the target is not ready."""
        threshold = self.canary.spec.analysis.canary_ready_threshold
        return self._unready(self.target, 100 if threshold is None else threshold)

    def _unready(self, deployment: Json, threshold: int) -> Unready | None:
        try:
            return unready(codec.convert(Deployment, deployment), threshold, self.deadline, self.now)
        except codec.DecodeError as error:
            raise RefusedError("spec.targetRef", str(error)) from None

    # ── the revision ─────────────────────────────────────────────────────────

    @cached_property
    def template(self) -> Json:
        """The target's pod template."""
        template: Json = self.target["spec"].get("template") or {}
        return template

    @cached_property
    def revision(self) -> str:
        """The identity of what the target runs."""
        return revision.template_hash(self.template)

    @cached_property
    def configs(self) -> tuple[Tracked, ...]:
        """The ConfigMaps and Secrets that take part."""
        return configs.tracked(self.template, self.seen.objects, self.names, self.settings)

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Their checksums."""
        return configs.checksums(self.configs)

    @property
    def configs_changed(self) -> bool:
        """Whether configuration is not what the last analysis began with."""
        return self.checksums != (self.status.tracked_configs or {})

    @property
    def is_promoted(self) -> bool:
        """Whether the primary runs exactly what the target says."""
        return self.revision == self.status.last_promoted_spec and all(config.is_promoted for config in self.configs)

    @property
    def has_new_revision(self) -> bool:
        """Whether the target is neither what was last tried nor what is promoted (a manual way back needs no
        release)."""
        if self.is_promoted:
            return False
        back = self.revision == self.status.last_promoted_spec
        return self.configs_changed or (self.revision != self.status.last_applied_spec and not back)

    @property
    def mark(self) -> str:
        """The mark of the revision that is being released, for the primary's pods."""
        return primary.mark(self.status.last_applied_spec, self.status.tracked_configs or {})

    @property
    def primary_has_mark(self) -> bool:
        """Whether the primary was given the revision that is being released."""
        return self.primary is not None and primary.promoted_mark(self.primary) == self.mark

    def with_status(self, status: CanaryStatus) -> CanaryStatus:
        """`status`, carrying the revision that the target has now."""
        return msgspec.structs.replace(status, last_applied_spec=self.revision, tracked_configs=self.checksums)
