"""The built-in images: every module of this package with a `NAME` and an `IMAGE`. A new file is a new image."""

import importlib
import pkgutil

from headgate.node import images

from .catalog import Image


def builtin() -> dict[str, Image]:
    """Each image by its name."""
    by_name: dict[str, Image] = {}
    for info in pkgutil.iter_modules(images.__path__):
        module = importlib.import_module(f"{images.__name__}.{info.name}")
        if hasattr(module, "IMAGE"):
            by_name[module.NAME] = module.IMAGE
    return by_name
