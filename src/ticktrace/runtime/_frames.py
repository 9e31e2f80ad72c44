"""Which callback a thread that runs an event loop is in, as another thread sees it."""

from __future__ import annotations

import sys
import sysconfig
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Callback", "callback_of", "depth_of"]

_MACHINERY: Final = ("asyncio.", "selectors", "uvloop", "ticktrace.runtime._loop")
_OWN: Final = "ticktrace."
_LIBRARIES: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_DEEPEST: Final = 2_000


class Callback(NamedTuple):
    """What a loop is doing.

    Attributes:
        name: the outermost function or coroutine of the application, ``my_bot.on_book``: of what is not installed as a
            library; where all of it is, the outermost of all.
        at: where it was: the innermost one of these, with its line.
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
    frame = sys._current_frames().get(thread)  # noqa: SLF001  documented, and private only in name
    frames: list[FrameType] = []
    for _ in range(depth_of(frame) - depth):
        if frame is None:  # it went on meanwhile
            break
        if not _module(frame).startswith(_MACHINERY):
            frames.append(frame)
        frame = frame.f_back
    if not frames:
        return None
    applications = [one for one in frames if _is_applications(one)] or frames
    at = applications[0]
    return Callback(_name(applications[-1]), f"{_name(at)}:{at.f_lineno}")


def _is_applications(frame: FrameType) -> bool:
    return not frame.f_code.co_filename.startswith(_LIBRARIES) and not _module(frame).startswith(_OWN)


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


def _name(frame: FrameType) -> str:
    return f"{_module(frame)}.{frame.f_code.co_qualname}"
