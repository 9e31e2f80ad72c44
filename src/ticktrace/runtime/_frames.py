"""Which callback a thread that runs an event loop is in, as another thread sees it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Callback", "callback_of", "depth_of"]

_MACHINERY: Final = ("asyncio.", "selectors", "uvloop", "ticktrace.runtime._loop")
_DEEPEST: Final = 2_000


class Callback(NamedTuple):
    """What a loop is doing.

    Attributes:
        name: the outermost function or coroutine of the application: ``my_bot.on_book``.
        at: where it was: the innermost one, with its line.
    """

    name: str
    at: str


def depth_of(frame: FrameType | None) -> int:
    """How many frames there are from the outermost to this one."""
    depth = 0
    while frame is not None and depth < _DEEPEST:
        depth += 1
        frame = frame.f_back
    return depth


def callback_of(thread: int, depth: int) -> Callback | None:
    """What a thread runs beyond the frames of its event loop; None when that is nothing.

    A function written in C, called directly by the loop, has no frame: on uvloop that looks like nothing.

    Args:
        thread: its id.
        depth: how many frames the loop itself needs.
    """
    innermost = frame = sys._current_frames().get(thread)  # noqa: SLF001  the documented way, public in all but name
    beyond = depth_of(frame) - depth
    if frame is None or beyond <= 0:
        return None
    named = None
    for _ in range(beyond):
        if frame is None:  # it went on meanwhile
            break
        if not _module(frame).startswith(_MACHINERY):
            named = frame
        frame = frame.f_back
    if named is None or innermost is None:
        return None
    return Callback(_name(named), f"{_name(innermost)}:{innermost.f_lineno}")


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


def _name(frame: FrameType) -> str:
    return f"{_module(frame)}.{frame.f_code.co_qualname}"
