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
    """`PYTHONPATH` of this process for another program, with absolute folders; empty if the variable is not set.

    An empty entry, as in `:/opt/lib`, means the working directory and is left out. A relative entry becomes absolute,
    because the other program may have another working directory.
    """
    configured = os.environ.get("PYTHONPATH")
    if configured is None:
        return {}
    return {
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in configured.split(os.pathsep) if entry)
    }
