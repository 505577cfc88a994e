"""Policies (GEP-713): one file per kind, each with everything about it that needs no other object's help.

A new policy kind is one file here, its type in `headgate.api`, its conditions in `headgate.conditions`, and a golden
case. The file has a `KIND` (see `PolicyKind` for what it says); nothing else names the file. `backend_traffic.py` is
the one to copy. Attachment, precedence, merge and statuses are the same for all kinds: `headgate.resolve.policies`.

Shared by kinds: `base` (what a kind is), `targets` (targetRefs and targetSelectors), `tls_validation`,
`session_persistence`.
"""

import importlib
import pkgutil
from typing import Any

from .base import BackendSettings, PolicyKind, PolicySettings, ReferenceResolver, Target, of_settings

__all__ = ["KINDS", "BackendSettings", "PolicyKind", "PolicySettings", "ReferenceResolver", "Target", "of_settings"]


def _kinds() -> tuple[PolicyKind[Any], ...]:
    modules = (importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__))
    return tuple(module.KIND for module in modules if hasattr(module, "KIND"))


#: Every policy kind that Headgate serves, by the name of its file.
KINDS = _kinds()
