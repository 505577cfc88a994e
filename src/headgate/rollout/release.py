"""One release: what the rules of the state machine ask of a snapshot, by name."""

from functools import cached_property

import msgspec

from headgate.api import codec, times
from headgate.api.core import Service
from headgate.api.delivery import Canary, CanaryService, CanaryStatus
from headgate.api.durations import go_seconds
from headgate.api.gateway import HTTPRoute
from headgate.api.meta import Ref

from . import configs, pod_template, revision, strategies, targets
from .configs import TrackedConfig
from .effects import Json
from .names import Names
from .pod_template import Primary
from .problem import NotAcceptedError
from .settings import Settings
from .snapshot import Snapshot
from .split import Split
from .status import PROMOTED, condition
from .strategies import Progress, Strategy
from .targets import Target, Unready

#: Seconds of `progressDeadlineSeconds` when the Canary names none.
DEADLINE = 600
#: Shortest interval of an analysis; Flagger's is 10 s.
SHORTEST_INTERVAL = 1.0


class Release:
    """A Canary and the objects around it. Properties raise `NotAcceptedError` where the spec cannot be followed."""

    def __init__(self, snapshot: Snapshot, now: float, settings: Settings) -> None:
        self.snapshot = snapshot
        self.now = now
        self.settings = settings
        self.canary = codec.convert(Canary, snapshot.canary)
        self.names = Names.of(self.canary)
        #: `podinfo.test`: the Canary and its target in the texts of events.
        self.name = f"{self.canary.metadata.name}.{self.names.namespace}"
        self.target_name = f"{self.names.target}.{self.names.namespace}"
        self.primary_name = f"{self.names.primary}.{self.names.namespace}"

    # ── the spec ─────────────────────────────────────────────────────────────

    @cached_property
    def service(self) -> CanaryService:
        """`spec.service`."""
        if self.canary.spec.service is None:
            raise NotAcceptedError("spec.service", "is missing; set at least service.port")
        return self.canary.spec.service

    @cached_property
    def interval(self) -> float:
        """Seconds between two ticks of the analysis."""
        try:
            return max(SHORTEST_INTERVAL, go_seconds(self.canary.spec.analysis.interval or "1m"))
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

    @property
    def strategy(self) -> Strategy:
        """How traffic is shifted."""
        return strategies.of(self.canary)

    # ── the status ───────────────────────────────────────────────────────────

    @property
    def status(self) -> CanaryStatus:
        """The Canary's status."""
        return self.canary.status

    @property
    def phase(self) -> str:
        """The phase. Without conditions the Canary is new, whatever `status.phase` is."""
        return self.status.phase if self.status.conditions else ""

    @property
    def progress(self) -> Progress:
        """How far the rollout is."""
        return strategies.progress(self.status)

    @cached_property
    def split(self) -> Split:
        """The split that the route has, or is about to get."""
        return strategies.split_at(self.canary, self.progress)

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
        """Whether there was no progress for longer than the Canary's deadline."""
        return self.now - self.changed_at > self.deadline

    # ── the objects ──────────────────────────────────────────────────────────

    @cached_property
    def workload(self) -> Target:
        """The module of the target's kind."""
        return targets.of(self.kind)

    @cached_property
    def existing_target(self) -> Json | None:
        """The target, None if the API has none, or if its kind is not supported."""
        if self.kind not in targets.KNOWN:
            return None
        return self.snapshot.get(self.workload.TYPE, self.names.key(self.names.target))

    @cached_property
    def target(self) -> Json:
        """The workload that is released. Raises `NotAcceptedError` if the API has none."""
        workload = self.workload
        if self.existing_target is None:
            kind = codec.kind_of(workload.TYPE)
            resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            message = (
                f'{self.kind.lower()} {self.target_name} get query error: {resource} "{self.names.target}" not found'
            )
            missing = Ref(self.kind, self.names.namespace, self.names.target)
            raise NotAcceptedError("spec.targetRef.name", message, "TargetNotFound", missing)
        return self.existing_target

    @cached_property
    def primary(self) -> Json | None:
        """The workload that serves, None if the API has none."""
        return self.snapshot.get(self.workload.TYPE, self.names.key(self.names.primary))

    @cached_property
    def route(self) -> Json | None:
        """The HTTPRoute, None if the API has none."""
        return self.snapshot.get(HTTPRoute, self.names.key(self.names.apex))

    @property
    def apex_service(self) -> Json | None:
        """The Service `<apex>`, None if the API has none."""
        return self.snapshot.get(Service, self.names.key(self.names.apex))

    @property
    def target_has_pods(self) -> bool:
        """Whether the target is scaled up."""
        return self.workload.has_pods(self.target)

    @property
    def selector_label(self) -> tuple[str, str]:
        """The label, and its value, that tells canary and primary pods apart."""
        return self.workload.selector_label(self.target, self.names, self.settings)

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

    def _unready(self, workload: Json, threshold: int) -> Unready | None:
        return self.workload.unready(workload, threshold, self.deadline, self.now)

    # ── the revision ─────────────────────────────────────────────────────────

    @cached_property
    def template(self) -> Json:
        """The target's pod template."""
        return self.workload.template(self.target)

    @cached_property
    def revision(self) -> str:
        """The identity of what the target runs."""
        return revision.template_hash(self.template)

    @cached_property
    def configs(self) -> tuple[TrackedConfig, ...]:
        """The ConfigMaps and Secrets that are part of the revision."""
        return configs.tracked(self.template, self.snapshot.objects, self.names, self.settings)

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Their checksums."""
        return configs.checksums(self.configs)

    @property
    def differs_from_applied(self) -> bool:
        """Whether the target or its configuration is not what the last analysis began with."""
        return self.revision != self.status.last_applied_spec or self._configs_changed

    @property
    def is_promoted(self) -> bool:
        """Whether the primary runs exactly what the target runs."""
        return self.revision == self.status.last_promoted_spec and all(config.is_promoted for config in self.configs)

    @property
    def has_new_revision(self) -> bool:
        """Whether the target is neither what was tried last nor what is promoted."""
        if self.is_promoted:
            return False
        back = self.revision == self.status.last_promoted_spec
        return self._configs_changed or (self.revision != self.status.last_applied_spec and not back)

    @property
    def _configs_changed(self) -> bool:
        return self.checksums != (self.status.tracked_configs or {})

    def primary_of(self, applied: str, checksums: dict[str, str]) -> Primary:
        """How the primary of a revision differs from the target."""
        annotation = pod_template.revision_annotation(applied, checksums)
        return Primary(self.names, configs.renames(self.configs), annotation, self.settings)

    @property
    def analysed_primary(self) -> Primary:
        """The same for the revision that is being released."""
        return self.primary_of(self.status.last_applied_spec, self.status.tracked_configs or {})

    @property
    def primary_has_revision(self) -> bool:
        """Whether the primary was given the revision that is being released."""
        annotation = pod_template.revision_annotation(self.status.last_applied_spec, self.status.tracked_configs or {})
        return self.primary is not None and pod_template.primary_revision(self.primary) == annotation

    def with_revision(self, status: CanaryStatus) -> CanaryStatus:
        """The status with the revision that the target has now."""
        return msgspec.structs.replace(status, last_applied_spec=self.revision, tracked_configs=self.checksums)
