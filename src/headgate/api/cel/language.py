"""The library `cel`, without its command line: that one alone takes ten times as long to import as everything else."""

import sys
from types import ModuleType

_COMMAND_LINE = "cel.cli"

if _COMMAND_LINE not in sys.modules:
    sys.modules[_COMMAND_LINE] = ModuleType(_COMMAND_LINE)
    import cel
    from cel import stdlib

    del sys.modules[_COMMAND_LINE]
else:
    import cel
    from cel import stdlib

__all__ = ["cel", "stdlib"]
