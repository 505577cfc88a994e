"""The library of CEL: what it is written in, and its functions.

Two packages put a folder `cel` into an environment: `common-expression-language`, which is meant, and `xds-protos`,
whose `cel/__init__.py` is empty. Which of the two files is there depends on which package was installed last, so
nothing is taken from it: the extension and the functions are imported by their own names. Where it is the library's
own, it would also bring the library's command line, which alone takes ten times as long to import as all the rest.
"""

import sys
from types import ModuleType

_COMMAND_LINE = "cel.cli"

if _COMMAND_LINE not in sys.modules:
    sys.modules[_COMMAND_LINE] = ModuleType(_COMMAND_LINE)
    from cel import cel, stdlib

    del sys.modules[_COMMAND_LINE]
else:
    from cel import cel, stdlib

__all__ = ["cel", "stdlib"]
