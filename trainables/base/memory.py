"""Keep memory that tensors free: asking the kernel for it again costs more than many of their operations.

By default glibc returns every large block at once, and at the next training step each of its pages is a fault, zeroed
anew: a third of a tiny model's step on a CPU.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_* of malloc.h
_KEPT = 1 << 30  # bytes that may stay free at the top of the heap
_LARGEST = 32 << 20  # bytes of a block that comes from the heap; the most that glibc takes


def keep_freed_memory() -> bool:
    """From now on, for the life of this process; False where the C library is not glibc. Changes no result."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))
