"""The built-in images: every module beside this one that has a `NAME` and an `IMAGE`. A new file is a new image."""

import importlib
import pkgutil

from headgate.node import images

from .catalog import Image


def builtin() -> dict[str, Image]:
    """Each image by its name."""
    found: dict[str, Image] = {}
    for each in pkgutil.iter_modules(images.__path__):
        module = importlib.import_module(f"{images.__name__}.{each.name}")
        if hasattr(module, "IMAGE"):
            found[module.NAME] = module.IMAGE
    return found
