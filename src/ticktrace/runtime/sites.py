"""Which line of code allocated an object, where `tracemalloc` is tracing."""

from __future__ import annotations

import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["site_of"]

Frames = tuple[tuple[str, int], ...]

_MANAGED_DICT = 1 << 4  # Py_TPFLAGS_MANAGED_DICT: two pointers stand before the collector's two
_PREFIX = 32
_FLAGS = vars(type)["__flags__"].__get__


def site_of(obj: object) -> tuple[str, int] | None:
    """File and line that allocated an object; None where it is older than the tracing."""
    if _TRACEBACK_AT is not None and _FLAGS(type(obj)) & _MANAGED_DICT:
        frames = _TRACEBACK_AT(0, id(obj) - _PREFIX)
        return frames[0] if frames else None
    traceback = tracemalloc.get_object_traceback(obj)
    if traceback is None:
        return None
    frame = traceback[-1]
    return frame.filename, frame.lineno


def _traceback_at() -> Callable[[int, int], Frames | None] | None:
    """The function that CPython's own uses: in 3.11 that asks for the wrong address of most instances of classes.

    `tracemalloc.get_object_traceback` knows the collector's part in front of an object, but not what such instances have
    before it, so that it finds nothing; 3.12 does. None where it is not needed, or not to be had.
    """
    if sys.version_info >= (3, 12):
        return None
    try:
        import ctypes  # noqa: PLC0415  not needed elsewhere

        found: Any = ctypes.pythonapi._PyTraceMalloc_GetTraceback  # noqa: SLF001  there is no public one
    except (ImportError, AttributeError):
        return None
    found.argtypes = (ctypes.c_uint, ctypes.c_size_t)
    found.restype = ctypes.py_object
    function: Callable[[int, int], Frames | None] = found
    return function


_TRACEBACK_AT = _traceback_at()
