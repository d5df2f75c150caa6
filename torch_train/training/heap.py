"""The C library's heap on CPUs: what one step frees, the next one takes again."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let this process keep freed memory, of large tensors too; returns whether the C library can be told so.

    By default glibc gives every tensor above 32 MB back to the system when it is freed, and the next one begins with
    pages that the kernel must clear: 7% of a step of Ministral's shape at an eighth of its width, 3% of nano's. The
    process never shrinks then.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(*option) for option in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, 64 * 2**20)))
