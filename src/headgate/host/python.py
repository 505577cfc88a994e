"""Commands that run a module with this interpreter."""

import os
import sys
from pathlib import Path


def module_command(module: str) -> tuple[str, ...]:
    """The command that runs a module, without its arguments.

    `-P` keeps the working directory off the module path: otherwise a file there that has the name of an imported
    module, such as `json.py`, is executed in its place.
    """
    return (sys.executable, "-P", "-m", module)


def module_path() -> dict[str, str]:
    """`PYTHONPATH` of this process with its absolute folders alone; empty without one.

    An empty or relative entry means the working directory of the program, which is a different one for each.
    """
    folders = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    return {"PYTHONPATH": os.pathsep.join(folders)} if folders else {}
