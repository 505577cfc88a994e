"""Collects the ACKs and NACKs of one stream until they are reported. Pure."""

from headgate.api.meta import Key, Ref

from .facts import Outcome


class Outcomes:
    """The outcomes at one Envoy of a Gateway, in order."""

    def __init__(self, gateway: Key) -> None:
        self._gateway = gateway
        self._outcomes: list[Outcome] = []

    def acked(self, type_url: str, name: str, version: str, origins: tuple[Ref, ...] = (), *, host: str = "") -> None:
        """Envoy has this version; for a virtual host, an earlier NACK of it no longer holds."""
        self._outcomes.append(Outcome(self._gateway, type_url, name, host, version, "", origins))

    def nacked(
        self, type_url: str, name: str, version: str, message: str, origins: tuple[Ref, ...] = (), *, host: str = ""
    ) -> None:
        """Envoy rejected this version with `message`."""
        self._outcomes.append(Outcome(self._gateway, type_url, name, host, version, message, origins))

    def take(self) -> list[Outcome]:
        """The outcomes since the last call."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes
