"""Memory that is not needed any more, given back to the system."""

import contextlib
import ctypes
import gc

# Of glibc's `mallopt`.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
#: Bytes from which a buffer is pages of its own, which are given back when it goes.
_LARGE = 256 * 1024


def frugal() -> None:
    """Have glibc give large buffers back at once. Left alone it learns from every large buffer that goes (a route
    configuration of 5,000 hosts has 1.6 MB) to put the next one among the small ones, and one that stays holds it.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _LARGE)


def settle() -> None:
    """What a start leaves behind: lists of thousands of objects were read as text, and decoded in one go.

    Collect what is garbage, let the collector never look at the rest again, and return free pages to the system. What
    is alive after the first pass (modules, the program, the world) mostly stays; a full collection that walks all of it
    takes 100 ms with 10,000 routes. glibc keeps freed pages for itself unless it is told.
    """
    gc.collect()
    gc.freeze()
    trim()


def trim() -> None:
    """Return free pages to the system."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
