"""Finds the modules of a package that implement one thing each: strategies, providers, targets, alerts, webhooks."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any


def modules(package: str, path: Iterable[str], attribute: str) -> Mapping[str, Any]:
    """The modules of a package that have `attribute`, by its value. Modules without it are helpers.

    Args:
        package: the name of the package, `__name__` in its `__init__.py`.
        path: its `__path__`.
        attribute: the constant that names what the module implements, for example `TYPE`.
    """
    imported = (importlib.import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules(path))
    return MappingProxyType({getattr(module, attribute): module for module in imported if hasattr(module, attribute)})


def known(registry: Mapping[str, Any]) -> str:
    """The names in a registry, for a message: `prometheus, splunk`."""
    return ", ".join(sorted(registry))
