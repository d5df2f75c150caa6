"""PDFium's functions, called with plain addresses.

Through the bindings of pypdfium2 a call takes longer than PDFium needs to answer, and a page takes hundreds of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

INT, LONG, ADDRESS = ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p


def bound(name: str, *arguments: Any, returns: Any = INT) -> Callable[..., Any]:
    """Return one of PDFium's functions; each call should take microseconds.

    Args:
        name: of the function.
        arguments: their types; handles and pointers are addresses.
        returns: type of the answer.
    """
    import pypdfium2.raw as pdfium

    place = address(getattr(pdfium, name))
    # A call is too short to give up the interpreter's lock for it.
    function: Callable[..., Any] = ctypes.PYFUNCTYPE(returns, *arguments)(place)
    return function


def address(handle: Any) -> int:
    """Return the address behind a handle or a function of the bindings."""
    return ctypes.cast(handle, ADDRESS).value or 0
