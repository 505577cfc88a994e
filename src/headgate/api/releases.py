"""The definitions of earlier releases of the Gateway API, as far as our types know when something came.

A laptop may serve what a cluster with older definitions serves: kinds and fields that came later are left out of ours.
The tables name facts of the change logs and of the published definitions; rules and limits that changed in between stay
as they are today, and the official files say them exactly.
"""

import copy
from collections.abc import Iterator
from typing import Any

from . import crd

#: Releases whose definitions are known, the newest last.
RELEASES = ("v1.3.0", "v1.4.0", "v1.4.1", "v1.5.0", "v1.5.1", "v1.6.0", "v1.6.1", "v1.6.2", "v1.6.3", "v1.7.0")
NEWEST = RELEASES[-1]
CHANNELS = ("standard", "experimental")

_GROUPS = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io")
_VERSION_MARK = "gateway.networking.k8s.io/bundle-version"


def definitions(version: str = NEWEST, channel: str = "standard") -> list[dict[str, Any]]:
    """The definitions of a release. Raises `ValueError` for one that is not known."""
    if version not in RELEASES:
        raise ValueError(f"the Gateway API {version} is not known here; known are {', '.join(RELEASES)}")
    if channel not in CHANNELS:
        raise ValueError(f"{channel!r} is no channel of the Gateway API; there are {' and '.join(CHANNELS)}")
    every = [definition for definition in crd.definitions() if definition["spec"]["group"] in _GROUPS]
    return list(_of_release(every, version))


def _of_release(every: list[dict[str, Any]], version: str) -> Iterator[dict[str, Any]]:
    for definition in every:
        yield copy.deepcopy(definition)
