"""Returns memory that only the start needed: the lists of thousands of objects as text, and decoded in one piece."""

import contextlib
import ctypes
import gc


def settle() -> None:
    """Collect garbage, exempt what is left from later collections, and return free pages to the system.

    What is alive after the first pass (modules, the program, the world) mostly stays, and a full collection over it
    takes 100 ms with 10,000 routes. glibc returns freed pages only on `malloc_trim`.
    """
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
