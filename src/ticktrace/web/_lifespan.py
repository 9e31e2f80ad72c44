"""The end of an application: everything that had ended is exported before the server lets go of the process.

A server ends on SIGTERM without running ``atexit``, so the lifespan is the last moment. Its messages are watched
rather than its handlers wrapped: an own lifespan, ``on_event`` handlers, none at all and a failing start look alike
from here, and the application's own clean-up always comes first.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from ticktrace.engine.barrier import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ticktrace.web._protocol import TelemetryHandle

__all__ = ["serve_lifespan"]

_LAST_MESSAGES = ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed")

_lock = threading.Lock()
_running: dict[int, int] = {}  # id of a telemetry handle -> how many applications run on it


def _enter(telemetry: TelemetryHandle) -> None:
    with _lock:
        _running[id(telemetry)] = _running.get(id(telemetry), 0) + 1


def _leave(telemetry: TelemetryHandle) -> bool:
    """Return whether this was the last application on the handle."""
    with _lock:
        left = _running.pop(id(telemetry)) - 1
        if left:
            _running[id(telemetry)] = left
        return left == 0


async def _settle(work: Callable[[], bool]) -> None:
    """Run blocking work beside the event loop, to its own deadline, even while the server cancels us."""
    try:
        with anyio.CancelScope(shield=True):
            # A limiter of its own: the application may have filled the shared pool with calls that never return.
            await anyio.to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))
    except Exception as error:  # noqa: BLE001  the application ends as it would without telemetry
        report("web.lifespan", error)


async def serve_lifespan(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    telemetry: TelemetryHandle,
    shutdown: bool,
    installed: Callable[[], bool],
) -> None:
    """Serve the lifespan of `app` and settle the telemetry before its last message is sent.

    Args:
        app: what the lifespan is passed on to.
        scope: of type ``lifespan``.
        receive: the server's channel.
        send: the server's channel.
        telemetry: flushed; and shut down, within its own deadline, if no other application runs on it.
        shutdown: False only flushes.
        installed: asked at the end; False leaves the telemetry alone.
    """
    started = False
    settled = False
    _enter(telemetry)

    async def settle() -> None:
        nonlocal settled
        if settled:
            return
        settled = True
        last = _leave(telemetry)
        if installed():
            await _settle(telemetry.shutdown if last and shutdown else telemetry.flush)

    async def watched_send(message: Message) -> None:
        nonlocal started
        if message["type"] == "lifespan.startup.complete":
            started = True
        elif message["type"] in _LAST_MESSAGES:
            await settle()
        await send(message)

    try:
        await app(scope, receive, watched_send)
    finally:
        if started:  # cancelled, or broken off without a last message
            await settle()
        elif not settled:  # an application without a lifespan: the server goes on to serve it
            settled = True
            _leave(telemetry)
