"""What the Envoys said about what they were sent.

Only `headgate.resolve.status` may read this (an import contract keeps it): if anything that is sent to Envoy depended
on it, an answer could change the question.
"""

from dataclasses import dataclass

import msgspec

from headgate.api.meta import Key, Ref
from headgate.incremental import Engine, Source


class ListenerFact(msgspec.Struct, frozen=True):
    """The last word of a Gateway's Envoys on one listener resource.

    `acked` is the version that was taken last (empty: none yet). `refused` is Envoy's sentence when it refused
    `refused_version`, and empty again when a later version was taken.
    """

    acked: str = ""
    refused: str = ""
    refused_version: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Keyed by Gateway and name of the Envoy listener resource, by Gateway and route, by Gateway and Secret.

    A fact that is missing (after a restart of the controller) never turns a condition that was reported.
    """

    listeners: Source[tuple[Key, str], ListenerFact]
    #: Envoy's sentence on a virtual host that came from this route, or on a backend of it; delete it when it was taken.
    refused_routes: Source[tuple[Key, Ref], str]
    #: Envoy's sentence on a certificate; delete it when it was taken or is sent no more.
    refused_secrets: Source[tuple[Key, Key], str]

    @classmethod
    def over(cls, engine: Engine) -> "Facts":
        """Declare the sources."""
        return cls(
            listeners=engine.source("listener facts"),
            refused_routes=engine.source("refused routes"),
            refused_secrets=engine.source("refused secrets"),
        )
