"""OpenBLAS under MLX on Linux, where the `mlx-cpu` wheel carries the reference BLAS.

Measured on two CPU cores: fp32 matrix products go from 4 to about 200 GFLOP/s.
"""

import ctypes
import sys

# By name rather than `ctypes.util.find_library`: that one starts ldconfig and costs 60 ms.
_NAMES = ("libopenblas.so.0", "libopenblas.so")


def preload_blas() -> str | None:
    """Make OpenBLAS's symbols win over those of `mlx-cpu`; call it before the first `import mlx.core`.

    Returns:
        The library that was loaded, or None on macOS and where OpenBLAS is not installed: everything
        works without it, only slower.
    """
    if not sys.platform.startswith("linux"):
        return None
    for name in _NAMES:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return name
    return None
