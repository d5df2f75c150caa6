"""PDFium's functions, called so that a call takes no longer than PDFium's answer: a page takes hundreds of them.

Numbers are passed as they are, addresses by `pointer`. For declared types of arguments, and through the bindings of
pypdfium2 even more so, ctypes makes an object for each argument of each call: 0.4 us instead of 0.2.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

INT, UNSIGNED, ADDRESS = ctypes.c_int, ctypes.c_uint, ctypes.c_void_p

Pointer = Any  # what ctypes passes as an address; mypy knows no name for it


def bound(name: str, returns: Any = INT, kind: Any = ctypes.PYFUNCTYPE) -> Callable[..., Any]:
    """Return one of PDFium's functions; its arguments are numbers for `int` and pointers.

    Args:
        name: of the function.
        returns: type of the answer.
        kind: `CFUNCTYPE` for calls that may take long; shorter ones are not worth giving up the interpreter's lock.
    """
    import pypdfium2.raw as pdfium

    function: Callable[..., Any] = kind(returns)(address(getattr(pdfium, name)))
    return function


def pointer(place: int) -> Pointer:
    """Return an address as an argument."""
    return ADDRESS.from_param(place)


def address(handle: Any) -> int:
    """Return the address behind a handle or a function of the bindings."""
    return ctypes.cast(handle, ADDRESS).value or 0
