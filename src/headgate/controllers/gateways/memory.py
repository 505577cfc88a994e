"""What a start leaves behind, given back: lists of thousands of objects were read as text, and decoded in one go."""

import contextlib
import ctypes
import gc


def settle() -> None:
    """Collect what is garbage, let the collector never look at the rest again, and return free pages to the system.

    What is alive after the first pass (modules, the program, the world) mostly stays; a full collection that walks all
    of it takes 100 ms with 10,000 routes. glibc keeps freed pages for itself unless it is told.
    """
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
