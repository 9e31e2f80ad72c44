"""The end of an application: telemetry is settled once, last, before the server is told."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest
from fastapi import FastAPI

from ticktrace.web import instrument_fastapi, uninstrument_fastapi
from unit.web.client import TestClient
from unit.web.handle import Handle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Log(Handle):
    """Notes the shutdown among what else happens."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.calls = events


def with_own_lifespan(events: list[str], *, fail: str = "") -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, str]]:
        events.append("start")
        if fail == "start":
            raise RuntimeError("start")
        yield {"state": "kept"}
        events.append("stop")
        if fail == "stop":
            raise RuntimeError("stop")

    return FastAPI(lifespan=lifespan)


def test_application_with_its_own_lifespan_ends_first() -> None:
    events: list[str] = []
    app = with_own_lifespan(events)
    instrument_fastapi(app, Log(events))
    with TestClient(app) as client:
        assert client.app_state == {"state": "kept"}
        assert events == ["start"]
    assert events == ["start", "stop", "shutdown"]


def test_application_with_event_handlers() -> None:
    events: list[str] = []
    app = FastAPI()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)

        @app.on_event("shutdown")
        def stop() -> None:
            events.append("stop")

    instrument_fastapi(app, Log(events))
    with TestClient(app):
        pass
    assert events == ["stop", "shutdown"]


def test_application_without_a_lifespan() -> None:
    events: list[str] = []
    app = FastAPI()
    instrument_fastapi(app, Log(events))
    with TestClient(app):
        assert events == []
    assert events == ["shutdown"]


@pytest.mark.parametrize(("fail", "expected"), [("start", ["start"]), ("stop", ["start", "stop"])])
def test_a_failing_lifespan_still_settles_and_still_fails(fail: str, expected: list[str]) -> None:
    events: list[str] = []
    app = with_own_lifespan(events, fail=fail)
    instrument_fastapi(app, Log(events))
    with pytest.raises(RuntimeError, match=fail), TestClient(app):
        pass
    assert events == [*expected, "shutdown"]


def test_only_the_last_application_shuts_down() -> None:
    events: list[str] = []
    handle = Log(events)
    first, second = FastAPI(), FastAPI()
    instrument_fastapi(first, handle)
    instrument_fastapi(second, handle)
    with TestClient(first):
        with TestClient(second):
            pass
        assert events == ["flush"]
    assert events == ["flush", "shutdown"]


def test_flush_only_on_request() -> None:
    events: list[str] = []
    app = FastAPI()
    instrument_fastapi(app, Log(events), shutdown=False)
    for _ in range(2):
        with TestClient(app):
            pass
    assert events == ["flush", "flush"]


def test_uninstrumented_while_running_leaves_the_telemetry_alone() -> None:
    events: list[str] = []
    app = FastAPI()
    instrument_fastapi(app, Log(events))
    with TestClient(app):
        uninstrument_fastapi(app)
    assert events == []


def test_instrumented_again_while_running_still_settles() -> None:
    """`opentelemetry-instrument` was there first; the application's own call gives other arguments."""
    events: list[str] = []
    handle = Log(events)
    app = FastAPI()
    instrument_fastapi(app, handle)
    with TestClient(app):
        instrument_fastapi(app, handle, metrics_path="/scrape")
    assert events == ["shutdown"]


def test_a_failing_shutdown_does_not_fail_the_application() -> None:
    class Broken(Handle):
        def shutdown(self, timeout: float | None = None) -> bool:
            raise RuntimeError("shutdown")

    app = FastAPI()
    instrument_fastapi(app, Broken())
    with TestClient(app):
        pass


async def drive(app: Any, events: list[str], *, started: asyncio.Event | None = None) -> None:
    """A server's side of the lifespan protocol; with `started`, it never asks for the shutdown."""
    sent = iter(("lifespan.startup", "lifespan.shutdown"))

    async def receive() -> Any:
        kind = next(sent)
        if started is not None and kind == "lifespan.shutdown":
            started.set()
            await asyncio.Event().wait()
        return {"type": kind}

    async def send(message: Any) -> None:
        events.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)


async def test_telemetry_is_settled_before_the_server_hears_of_the_end() -> None:
    events: list[str] = []
    app = FastAPI()
    instrument_fastapi(app, Log(events))
    await drive(app, events)
    assert events == ["lifespan.startup.complete", "shutdown", "lifespan.shutdown.complete"]


async def test_a_server_that_cancels_the_lifespan_is_covered() -> None:
    events: list[str] = []
    app = FastAPI()
    instrument_fastapi(app, Log(events))
    started = asyncio.Event()
    task = asyncio.create_task(drive(app, events, started=started))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "shutdown" in events


async def test_an_application_that_refuses_the_lifespan_goes_on() -> None:
    """Servers then serve without one; the telemetry must be there for it."""
    events: list[str] = []
    app = FastAPI()

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        raise NotImplementedError

    app.router.lifespan = refuse  # type: ignore[method-assign]
    instrument_fastapi(app, Log(events))
    with pytest.raises(NotImplementedError):
        await drive(app, events)
    assert events == []


async def test_shutdown_runs_beside_the_loop_even_if_the_shared_threads_are_all_taken() -> None:
    events: list[str] = []
    taken = asyncio.Event()

    class Slow(Log):
        def shutdown(self, timeout: float | None = None) -> bool:
            done = asyncio.run_coroutine_threadsafe(touch(), loop)  # needs a loop that turns
            done.result(30)
            return super().shutdown(timeout)

    async def touch() -> None:
        taken.set()

    loop = asyncio.get_running_loop()
    limiter = anyio.to_thread.current_default_thread_limiter()
    before = limiter.total_tokens
    limiter.total_tokens = 1
    await limiter.acquire()
    try:
        app = FastAPI()
        instrument_fastapi(app, Slow(events))
        await drive(app, events)
    finally:
        limiter.release()
        limiter.total_tokens = before
    assert taken.is_set()
    assert "shutdown" in events
