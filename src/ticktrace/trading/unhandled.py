"""Exceptions that nobody has caught: opt-in hooks that record them, and pass them on to whoever had the hooks before."""

from __future__ import annotations

import asyncio as aio
import sys
import threading
from typing import TYPE_CHECKING, Any

from ticktrace.engine import attempt, text_of
from ticktrace.errors import NoEventLoopError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ticktrace.trading.failures import Failures

__all__ = ["Unhandled"]


class Unhandled:
    """The hooks of one telemetry handle; each is put in place once, and at the end what was there before is put back.

    Where somebody has put another hook on top meanwhile, that one stays, and ours only passes on.

    Args:
        failures: records them.
    """

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._caught: list[object] = []
        self._undo: list[Callable[[], None]] = []
        self._active = True

    def catch(self, *, asyncio: bool | aio.AbstractEventLoop, excepthook: bool, threads: bool) -> None:
        """Put hooks in place; see `Telemetry.catch_unhandled`.

        Raises:
            NoEventLoopError: `asyncio` is True and no loop runs here.
        """
        loop = _loop(asyncio)
        if loop is not None and self._is_first(loop):
            self._catch_in_loop(loop)
        if excepthook and self._is_first(sys):
            self._catch_in_main()
        if threads and self._is_first(threading):
            self._catch_in_threads()

    def _is_first(self, where: object) -> bool:
        if any(where is known for known in self._caught):
            return False
        self._caught.append(where)
        return True

    def undo(self) -> None:
        """Record nothing more, and put back what was there before, where ours is what is there."""
        self._active = False
        for undo in reversed(self._undo):
            attempt("unhandled.undo", undo)
        self._undo.clear()
        self._caught.clear()

    def _record(self, error: BaseException | str, component: str, severity: Any, **attributes: Any) -> None:
        # The hooks before ours write it down, so no line is written here.
        if self._active and not isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._failures.record(error, component, severity, attributes=attributes, say=False)

    def _catch_in_main(self) -> None:
        before = sys.excepthook

        def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
            self._record(error, "main", "critical")
            before(kind, error, traceback)

        def undo() -> None:
            if sys.excepthook is hook:
                sys.excepthook = before

        sys.excepthook = hook
        self._undo.append(undo)

    def _catch_in_threads(self) -> None:
        before = threading.excepthook

        def hook(args: threading.ExceptHookArgs, /) -> None:
            if args.exc_value is not None:
                name = None if args.thread is None else args.thread.name
                self._record(args.exc_value, "thread", "critical", **{"thread.name": name})
            before(args)

        def undo() -> None:
            if threading.excepthook is hook:
                threading.excepthook = before

        threading.excepthook = hook
        self._undo.append(undo)

    def _catch_in_loop(self, loop: aio.AbstractEventLoop) -> None:
        before = loop.get_exception_handler()

        def handler(loop: aio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            message = text_of(context.get("message"))
            self._record(message if error is None else error, "asyncio", "error", **_told(context, message))
            if before is None:
                loop.default_exception_handler(context)
            else:
                before(loop, context)

        def undo() -> None:
            if loop.get_exception_handler() is handler:
                loop.set_exception_handler(before)

        loop.set_exception_handler(handler)
        self._undo.append(undo)


def _told(context: dict[str, Any], message: str) -> dict[str, Any]:
    """What asyncio says beside the exception."""
    task = context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, aio.Task) else None
    return {"asyncio.message": message, "asyncio.task.name": name}


def _loop(asked: bool | aio.AbstractEventLoop) -> aio.AbstractEventLoop | None:
    if not asked:
        return None
    if not isinstance(asked, bool):
        return asked
    try:
        return aio.get_running_loop()
    except RuntimeError:
        raise NoEventLoopError(
            "catch_unhandled(asyncio=True) needs a running event loop: call it inside the loop, or pass the loop"
        ) from None
