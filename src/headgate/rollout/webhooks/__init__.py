"""Types of webhooks: one module each, found by its `TYPE` (`spec.analysis.webhooks[].type`).

A gate is a query: a rule asks it and waits, or counts a failed check, until it passes; `pre_rollout.py` is the one to
copy. `event` informs another system of every event.
"""

from collections.abc import Mapping
from typing import Protocol

from headgate.api.delivery import CanaryWebhook

from ..registry import modules


class WebhookType(Protocol):
    """What a module of this package has. The texts are Flagger's."""

    #: The word in `spec.analysis.webhooks[].type`.
    TYPE: str

    def passed(self, name: str) -> str:
        """The event when the gate passes; empty: no event."""

    def halted(self, canary: str, name: str, error: str) -> str:
        """The event when it does not.

        Args:
            canary: `<name>.<namespace>`.
            name: of the webhook.
        """


#: The types of webhooks.
KNOWN: Mapping[str, WebhookType] = modules(__name__, __path__, "TYPE")


def type_of(webhook: CanaryWebhook) -> str:
    """The type of a webhook; without one it is `rollout`."""
    return webhook.type or "rollout"
