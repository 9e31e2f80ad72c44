"""What is recorded of requests: names, attributes, metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, WebSocket
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from ticktrace.web import instrument_fastapi
from unit.web.client import TestClient
from unit.web.handle import Handle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DURATION = "http.server.request.duration"


def instrumented(app: FastAPI, **options: Any) -> tuple[Handle, TestClient]:
    handle = Handle()
    instrument_fastapi(app, handle, **options)
    return handle, TestClient(app, raise_server_exceptions=False)


def orders_app() -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def order(order_id: str) -> dict[str, str]:
        return {"id": order_id}

    return app


def test_span_is_named_after_the_route_template_and_carries_stable_attributes() -> None:
    handle, client = instrumented(orders_app())
    client.get("/orders/42?side=buy", headers={"user-agent": "bot/1"})
    (span,) = handle.spans
    assert span.name == "GET /orders/{order_id}"
    assert span.kind is SpanKind.SERVER
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/orders/{order_id}",
        "url.scheme": "http",
        "url.path": "/orders/42",
        "url.query": "side=buy",
        "network.protocol.version": "1.1",
        "server.address": "testserver",
        "server.port": 80,
        "client.address": "testclient",
        "user_agent.original": "bot/1",
    }


def test_metrics_follow_the_stable_conventions() -> None:
    handle, client = instrumented(orders_app())
    response = client.get("/orders/42")
    attributes = {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/orders/{order_id}",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    (duration,) = handle.points(DURATION)
    assert duration.attributes == attributes
    assert duration.count == 1
    assert 0 < duration.value < 5
    (size,) = handle.points("http.server.response.body.size")
    assert (size.attributes, size.value) == (attributes, len(response.content))
    (active,) = handle.points("http.server.active_requests")
    assert (active.attributes, active.value) == ({"http.request.method": "GET", "url.scheme": "http"}, 0)
    assert handle.metric_names() == {
        DURATION,
        "http.server.active_requests",
        "http.server.response.body.size",
    }


def test_request_body_size_is_recorded_from_its_header() -> None:
    app = FastAPI()

    @app.post("/orders")
    async def order(body: dict[str, int]) -> None:
        return None

    handle, client = instrumented(app)
    client.post("/orders", content=b'{"quantity": 5}')
    (size,) = handle.points("http.server.request.body.size")
    assert (size.count, size.value) == (1, 15)


def test_active_requests_counts_the_request_under_way() -> None:
    app = FastAPI()
    handle = Handle()
    seen: list[float] = []

    @app.get("/")
    async def root() -> None:
        seen.append(handle.points("http.server.active_requests")[0].value)

    instrument_fastapi(app, handle)
    TestClient(app).get("/")
    assert seen == [1]


def test_routes_added_after_instrumenting_are_named() -> None:
    app = FastAPI()
    handle, client = instrumented(app)
    router = APIRouter(prefix="/v1")

    @router.get("/positions/{symbol}")
    async def position(symbol: str) -> str:
        return symbol

    app.include_router(router, prefix="/api")
    client.get("/api/v1/positions/BTC")
    assert handle.names == ["GET /api/v1/positions/{symbol}"]


def test_included_routers_nest() -> None:
    app, outer, inner = FastAPI(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")

    @inner.get("/{x}")
    async def leaf(x: str) -> str:
        return x

    outer.include_router(inner)
    app.include_router(outer)
    handle, client = instrumented(app)
    assert client.get("/outer/inner/1").status_code == 200
    assert handle.names == ["GET /outer/inner/{x}"]


def test_unmatched_paths_share_one_name_and_no_route() -> None:
    handle, client = instrumented(orders_app())
    client.get("/wp-admin.php")
    client.get("/.env")
    assert handle.names == ["GET unmatched", "GET unmatched"]
    (duration,) = handle.points(DURATION)
    assert duration.count == 2
    assert "http.route" not in duration.attributes


def test_unknown_methods_are_bounded() -> None:
    handle, client = instrumented(orders_app())
    client.request("BREW", "/orders/1")
    (span,) = handle.spans
    assert span.name == "HTTP /orders/{order_id}"
    assert span.attributes is not None
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "BREW"


def test_wrong_method_keeps_the_route() -> None:
    handle, client = instrumented(orders_app())
    assert client.post("/orders/1").status_code == 405
    assert handle.names == ["POST /orders/{order_id}"]


def test_mounted_applications_are_named_whole_and_observed_once() -> None:
    """The mounted application is instrumented too, as `opentelemetry-instrument` does with every application."""
    app, child, grandchild = FastAPI(), orders_app(), FastAPI()

    @grandchild.get("/leaf/{n}")
    async def leaf(n: int) -> int:
        return n

    child.mount("/grand/{tenant}", grandchild)
    app.mount("/child", child)
    handle, client = instrumented(app)
    instrument_fastapi(child, handle)
    instrument_fastapi(grandchild, handle)
    assert client.get("/child/orders/1").status_code == 200
    assert client.get("/child/grand/acme/leaf/3").json() == 3
    assert client.get("/child/nothing").status_code == 404
    assert handle.names == [
        "GET /child/orders/{order_id}",
        "GET /child/grand/{tenant}/leaf/{n}",
        "GET /child/{path}",
    ]
    assert sum(point.count for point in handle.points(DURATION)) == 3


def test_static_files_are_one_route(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=tmp_path))
    handle, client = instrumented(app)
    assert client.get("/static/a.txt").text == "a"
    assert handle.names == ["GET /static/{path}"]
    (size,) = handle.points("http.server.response.body.size")
    assert size.value == 1


def test_streaming_makes_one_span_and_counts_every_byte() -> None:
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 100
                await asyncio.sleep(0)

        return StreamingResponse(chunks())

    handle, client = instrumented(app)
    client.get("/stream")
    assert handle.names == ["GET /stream"]
    (size,) = handle.points("http.server.response.body.size")
    assert (size.count, size.value) == (1, 2000)


def test_one_response_does_not_lend_its_size_to_the_next() -> None:
    app = FastAPI()

    @app.get("/big")
    async def big() -> PlainTextResponse:
        return PlainTextResponse("x" * 5000)

    @app.get("/none", status_code=204)
    async def none() -> None:
        return None

    handle, client = instrumented(app)
    client.get("/big")
    client.get("/none")
    sizes = {p.attributes["http.route"]: p.value for p in handle.points("http.server.response.body.size")}
    assert sizes == {"/big": 5000, "/none": 0}


def test_background_tasks_are_neither_latency_nor_an_active_request() -> None:
    app = FastAPI()
    handle = Handle()
    seen: dict[str, Any] = {}

    @app.get("/")
    async def root(tasks: BackgroundTasks) -> str:
        async def later() -> None:
            seen["duration"] = handle.points(DURATION)
            seen["active"] = handle.points("http.server.active_requests")[0].value
            with handle.tracer_provider.get_tracer("bot").start_as_current_span("later"):
                pass

        tasks.add_task(later)
        return "ok"

    instrument_fastapi(app, handle)
    TestClient(app).get("/")
    assert [p.count for p in seen["duration"]] == [1]
    assert seen["active"] == 0
    request, later = handle.spans
    assert (request.name, later.name) == ("GET /", "later")
    assert later.parent is not None
    assert later.parent.span_id == request.context.span_id


def test_unhandled_exception_marks_span_and_metric_by_its_class() -> None:
    app = FastAPI()

    @app.get("/fail")
    async def fail() -> None:
        raise ZeroDivisionError("by nothing")

    handle, client = instrumented(app)
    assert client.get("/fail").status_code == 500
    (span,) = handle.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ZeroDivisionError: by nothing"
    assert [event.name for event in span.events] == ["exception"]
    (duration,) = handle.points(DURATION)
    assert duration.attributes["error.type"] == "ZeroDivisionError"
    assert duration.attributes["http.response.status_code"] == 500


def test_unhandled_exception_still_reaches_the_server() -> None:
    app = FastAPI()

    @app.get("/fail")
    async def fail() -> None:
        raise ZeroDivisionError

    instrument_fastapi(app, Handle())
    with pytest.raises(ZeroDivisionError):
        TestClient(app).get("/fail")


@pytest.mark.parametrize(
    ("status", "error_type", "span_status"),
    [(503, "503", StatusCode.ERROR), (404, None, StatusCode.UNSET)],
)
def test_error_responses_follow_the_conventions(
    status: int, error_type: str | None, span_status: StatusCode
) -> None:
    """A server's fault is an error; a client's is not."""
    app = FastAPI()

    @app.get("/")
    async def root() -> None:
        raise HTTPException(status)

    handle, client = instrumented(app)
    client.get("/")
    (span,) = handle.spans
    (duration,) = handle.points(DURATION)
    assert span.status.status_code is span_status
    assert not span.events
    assert duration.attributes.get("error.type") == error_type


def test_exception_after_the_response_began_is_an_error() -> None:
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"
            raise ValueError("broke off")

        return StreamingResponse(chunks())

    handle, client = instrumented(app)
    client.get("/stream")
    (duration,) = handle.points(DURATION)
    assert (duration.attributes["http.response.status_code"], duration.attributes["error.type"]) == (
        200,
        "ValueError",
    )


async def test_a_client_that_leaves_a_stream_is_no_error_of_the_server() -> None:
    """The server's `send` raises once the client is gone; Starlette makes a ClientDisconnect of it."""
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0)

        return StreamingResponse(chunks())

    handle = Handle()
    instrument_fastapi(app, handle)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) > 3:
            raise OSError("gone")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": "/stream",
        "query_string": b"",
        "headers": [],
    }

    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(ClientDisconnect):
        await app(scope, receive, send)
    (span,) = handle.spans
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in handle.points(DURATION)[0].attributes
    assert handle.points("http.server.active_requests")[0].value == 0


def test_websocket_is_one_span_without_metrics() -> None:
    app = FastAPI()

    @app.websocket("/stream/{symbol}")
    async def stream(websocket: WebSocket, symbol: str) -> None:
        await websocket.accept()
        while True:  # ends when the client hangs up
            await websocket.send_text(await websocket.receive_text())

    handle, client = instrumented(app)
    session = client.websocket_connect("/stream/BTC").__enter__()
    for text in ("a", "b", "c"):
        session.send_text(text)
        assert session.receive_text() == text
    with pytest.raises(WebSocketDisconnect):
        session.__exit__(None, None, None)
    (span,) = handle.spans
    assert span.name == "WS /stream/{symbol}"
    assert span.status.status_code is StatusCode.UNSET
    assert not span.events
    assert span.attributes is not None
    assert span.attributes["network.protocol.name"] == "websocket"
    assert span.attributes["url.scheme"] == "ws"
    assert handle.metric_names() == set()


def test_websocket_that_fails_is_an_error() -> None:
    app = FastAPI()

    @app.websocket("/stream")
    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        raise ValueError("feed")

    handle, client = instrumented(app)
    with pytest.raises(ValueError, match="feed"), client.websocket_connect("/stream") as session:
        session.receive_text()
    (span,) = handle.spans
    assert span.status.description == "ValueError: feed"


def test_remote_parent_is_continued() -> None:
    handle, client = instrumented(orders_app())
    client.get("/orders/1", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    (span,) = handle.spans
    assert span.parent is not None
    assert (span.context.trace_id, span.parent.span_id) == (int("a" * 32, 16), int("b" * 16, 16))


def test_span_is_current_in_the_handler() -> None:
    app = FastAPI()
    inside: list[int] = []

    @app.get("/async")
    async def asynchronous() -> None:
        inside.append(trace.get_current_span().get_span_context().span_id)

    @app.get("/sync")
    def synchronous() -> None:
        inside.append(trace.get_current_span().get_span_context().span_id)

    handle, client = instrumented(app)
    client.get("/async")
    client.get("/sync")
    assert inside == [span.context.span_id for span in handle.spans]


async def test_span_that_has_ended_is_no_parent_of_later_requests() -> None:
    """A server started inside a span hands its context to every request: they must not pile up in that trace."""
    import httpx  # noqa: PLC0415  only this test drives the application without a client thread

    app = orders_app()
    handle = Handle()
    instrument_fastapi(app, handle)
    with handle.tracer_provider.get_tracer("bot").start_as_current_span("start") as start:
        task_context = asyncio.get_running_loop()
        release = asyncio.Event()

        async def request() -> None:
            await release.wait()
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test"
            ) as client:
                await client.get("/orders/1")

        task = task_context.create_task(request())
    release.set()
    await task
    span = handle.spans[-1]
    assert span.name == "GET /orders/{order_id}"
    assert span.parent is None
    assert span.context.trace_id != start.get_span_context().trace_id


def test_sampler_sees_the_route() -> None:
    seen: list[tuple[str, Any]] = []

    class Watching(Sampler):
        def should_sample(
            self, parent_context: Any, trace_id: int, name: str, *rest: Any, **kw: Any
        ) -> SamplingResult:
            seen.append((name, (kw.get("attributes") or rest[1])["http.route"]))
            return ALWAYS_ON.should_sample(parent_context, trace_id, name)

        def get_description(self) -> str:
            return "watching"

    handle = Handle(sampler=Watching())
    app = orders_app()
    instrument_fastapi(app, handle)
    TestClient(app).get("/orders/1")
    assert seen == [("GET /orders/{order_id}", "/orders/{order_id}")]


def test_unsampled_requests_are_still_measured() -> None:
    class Never(Sampler):
        def should_sample(self, *args: Any, **kw: Any) -> SamplingResult:
            return SamplingResult(Decision.DROP)

        def get_description(self) -> str:
            return "never"

    handle = Handle(sampler=Never())
    app = orders_app()
    instrument_fastapi(app, handle)
    TestClient(app).get("/orders/1")
    assert handle.spans == ()
    assert handle.points(DURATION)[0].count == 1


def test_secrets_in_the_query_are_redacted() -> None:
    handle, client = instrumented(orders_app())
    client.get("/orders/1?sig=secret&side=buy")
    (span,) = handle.spans
    assert span.attributes is not None
    assert span.attributes["url.query"] == "sig=REDACTED&side=buy"


@pytest.mark.parametrize("health", ["/health", "/healthz", "/livez", "/readyz", "/health/live", "/health/"])
def test_probes_are_not_observed(health: str) -> None:
    handle, client = instrumented(orders_app())
    client.get(health)
    client.get("/metrics")
    assert handle.spans == ()
    assert handle.metric_names() == set()


def test_paths_that_merely_contain_an_excluded_one_are_observed() -> None:
    handle, client = instrumented(orders_app())
    client.get("/orders/metrics")
    client.get("/healthcare")
    assert handle.names == ["GET /orders/{order_id}", "GET unmatched"]


def test_excluded_urls_are_whole_path_patterns() -> None:
    handle, client = instrumented(orders_app(), excluded_urls=(r"/orders/\d+",))
    client.get("/orders/42")
    client.get("/orders/x42")
    assert [span.attributes and span.attributes["url.path"] for span in handle.spans] == ["/orders/x42"]


def test_otel_variable_excludes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "orders/4")
    handle, client = instrumented(orders_app())
    client.get("/orders/42")
    client.get("/orders/52")
    assert [span.attributes and span.attributes["url.path"] for span in handle.spans] == ["/orders/52"]


def test_a_prefix_that_the_proxy_adds_does_not_hide_the_excluded_paths() -> None:
    app = FastAPI()
    handle = Handle()
    instrument_fastapi(app, handle)
    client = TestClient(app, root_path="/api")
    assert client.get("/api/metrics").status_code == 200
    assert client.get("/metrics").status_code == 200
    assert handle.spans == ()


def test_chosen_headers_are_captured_and_the_sensitive_ones_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "x-bot,authorization")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE", "content-type")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS", "authorization")
    handle, client = instrumented(orders_app())
    client.get("/orders/1", headers={"x-bot": "b1", "authorization": "Bearer secret"})
    (span,) = handle.spans
    assert span.attributes is not None
    captured = {key: value for key, value in span.attributes.items() if ".header." in key}
    assert captured == {
        "http.request.header.x_bot": ("b1",),
        "http.request.header.authorization": ("[REDACTED]",),
        "http.response.header.content_type": ("application/json",),
    }


@pytest.mark.parametrize(
    "scope",
    [
        {"query_string": b"\xff\xfe=%zz"},
        {"headers": [(b"host", b"[::1:x]:y"), (b"user-agent", b"\xff\\x"), (b"traceparent", b"\xff")]},
        {"headers": [(b"content-length", "²".encode("latin-1")), (b"host", b"")]},
        {"method": ""},
        {"client": None, "server": None, "http_version": None},
    ],
    ids=["query", "headers", "length", "method", "nothing"],
)
async def test_no_bytes_of_a_client_break_its_request(scope: dict[str, Any]) -> None:
    app = FastAPI()
    handled: list[int] = []

    async def anything(scope: Any, receive: Any, send: Any) -> None:
        handled.append(1)
        await PlainTextResponse("ok")(scope, receive, send)

    app.mount("/", anything)
    handle = Handle()
    instrument_fastapi(app, handle)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    full = {
        "type": "http",
        "method": "GET",
        "path": "/x",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "http_version": "1.1",
        **scope,
    }
    await app(full, receive, send)
    assert sent[0]["status"] == 200
    assert handled == [1]
    assert len(handle.spans) == 1


@pytest.mark.usefixtures("fresh_log")
def test_a_fault_in_the_telemetry_does_not_reach_the_application(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Sampler):
        def should_sample(self, *args: Any, **kw: Any) -> SamplingResult:
            raise RuntimeError("sampler")

        def get_description(self) -> str:
            return "broken"

    app = orders_app()
    instrument_fastapi(app, Handle(sampler=Broken()))
    assert TestClient(app).get("/orders/1").json() == {"id": "1"}
    assert "contained an internal error in web.request" in caplog.text
