"""Why a workload is not ready, with Flagger's texts."""

import msgspec

from headgate.api import times
from headgate.api.apps import Deployment


class Unready(msgspec.Struct, frozen=True):
    """Why a workload is not ready, and whether it may still become ready."""

    message: str
    retriable: bool = True


def unready(deployment: Deployment, threshold: int, deadline: float, now: float) -> Unready | None:
    """Why a Deployment is not rolled out; None if it is.

    Args:
        threshold: percent of the updated pods that must be available.
        deadline: seconds of unavailability after which it is final.
    """
    status, replicas = deployment.status, deployment.spec.replicas
    if status.observed_generation < deployment.metadata.generation:
        return Unready("waiting for rollout to finish: observed deployment generation less than desired generation")
    conditions = {condition.type: condition for condition in status.conditions}
    progressing = conditions.get("Progressing")
    if progressing and progressing.reason == "ProgressDeadlineExceeded":
        return Unready(f'deployment "{deployment.metadata.name}" exceeded its progress deadline', retriable=False)
    available = conditions.get("Available")
    final = bool(
        available
        and available.status == "False"
        and available.reason == "MinimumReplicasUnavailable"
        and (times.seconds(available.last_update_time) or now) + deadline < now
    )
    if status.updated_replicas < replicas:
        count = f"{status.updated_replicas} out of {replicas} new replicas have been updated"
    elif status.replicas > status.updated_replicas:
        count = f"{status.replicas - status.updated_replicas} old replicas are pending termination"
    elif status.available_replicas < status.updated_replicas * threshold // 100:
        count = (
            f"{status.available_replicas} of {status.updated_replicas} "
            f"(readyThreshold {threshold}%) updated replicas are available"
        )
    else:
        return None
    return Unready(f"waiting for rollout to finish: {count}", retriable=not final)
