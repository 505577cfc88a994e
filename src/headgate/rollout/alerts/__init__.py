"""Alert providers: one module each, found by its `TYPE` (`spec.type` of an AlertProvider).

A module turns an alert into an HTTP request. `slack.py` is the one to copy.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from ..queries import HTTPRequest
from ..registry import modules

Severity = Literal["info", "warn", "error"]


class Alert(msgspec.Struct, frozen=True):
    """What happened to a Canary.

    Attributes:
        title: `<name>.<namespace>` of the Canary.
        fields: name and value of each detail.
    """

    title: str
    severity: Severity
    message: str
    fields: tuple[tuple[str, str], ...] = ()


class Receiver(msgspec.Struct, frozen=True):
    """Where an alert goes: `spec` of an AlertProvider with the data of its Secret. Not in any `repr`.

    Attributes:
        token: the key `token` of the Secret.
        proxy: the URL of an HTTP proxy.
    """

    address: str
    token: str = ""
    channel: str = "general"
    username: str = "flagger"
    proxy: str = ""

    def __repr__(self) -> str:
        return f"Receiver({self.channel})"


class AlertType(Protocol):
    """What a module of this package has."""

    #: The word in `spec.type`.
    TYPE: str

    def request(self, alert: Alert, receiver: Receiver) -> HTTPRequest:
        """The request that delivers the alert."""


#: The providers by type.
KNOWN: Mapping[str, AlertType] = modules(__name__, __path__, "TYPE")


def is_wanted(severity: str | None, alert: Alert) -> bool:
    """Whether an entry of `spec.analysis.alerts` with this severity wants the alert; without one it wants all."""
    wanted = severity or "info"
    return wanted in ("info", alert.severity) or (wanted == "warn" and alert.severity == "error")
