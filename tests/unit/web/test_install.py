"""Instrumenting and uninstrumenting: when, how often, beside what."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Request, Response
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse

from ticktrace import setup_telemetry
from ticktrace.errors import SettingsError
from ticktrace.web import instrument_every_fastapi, instrument_fastapi, uninstrument_fastapi
from unit.web.client import TestClient
from unit.web.handle import Handle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace import Telemetry


def hello_app(**options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    return app


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """The real thing, with OpenTelemetry's globals set."""
    with setup_telemetry(
        "web-test",
        exporters={"traces": ["memory"], "metrics": ["prometheus"]},
        prometheus={"serve": "never"},
    ) as handle:
        yield handle


def test_middleware_may_be_added_after_instrumenting() -> None:
    app, handle = hello_app(), Handle()
    instrument_fastapi(app, handle)

    @app.middleware("http")
    async def stamp(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-stamp"] = "1"
        return response

    assert TestClient(app).get("/hello").headers["x-stamp"] == "1"
    assert handle.names == ["GET /hello"]


def test_exceptions_pass_through_middleware_of_the_application_once() -> None:
    app, handle = hello_app(), Handle()
    instrument_fastapi(app, handle)

    async def passing(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)

    @app.get("/fail")
    async def fail() -> None:
        raise KeyError("k")

    assert TestClient(app, raise_server_exceptions=False).get("/fail").status_code == 500
    (span,) = handle.spans
    assert [event.name for event in span.events] == ["exception"]


def test_the_applications_own_error_page_is_kept() -> None:
    app, handle = hello_app(), Handle()

    @app.exception_handler(Exception)
    async def teapot(request: Request, error: Exception) -> Response:
        return PlainTextResponse("sorry", 503)

    @app.get("/fail")
    async def fail() -> None:
        raise KeyError("k")

    instrument_fastapi(app, handle)
    response = TestClient(app, raise_server_exceptions=False).get("/fail")
    assert (response.status_code, response.text) == (503, "sorry")
    (span,) = handle.spans
    assert span.attributes is not None
    assert (span.attributes["http.response.status_code"], span.attributes["error.type"]) == (503, "KeyError")


def test_instrumenting_twice_changes_nothing() -> None:
    app, handle = hello_app(), Handle()
    instrument_fastapi(app, handle)
    routes = list(app.routes)
    instrument_fastapi(app, handle)
    assert app.routes == routes
    TestClient(app).get("/hello")
    assert handle.names == ["GET /hello"]


def test_instrumenting_again_with_other_arguments_replaces() -> None:
    app, first, second = hello_app(), Handle(), Handle()
    instrument_fastapi(app, first)
    instrument_fastapi(app, second, metrics_path="/scrape")
    client = TestClient(app)
    client.get("/hello")
    assert (first.names, second.names) == ([], ["GET /hello"])
    assert client.get("/metrics").status_code == 404
    assert client.get("/scrape").status_code == 200


def test_uninstrumenting_before_the_first_request_leaves_no_trace() -> None:
    app, handle = hello_app(), Handle()
    before = (list(app.routes), set(vars(app)), dict(app._telemetry))
    instrument_fastapi(app, handle)
    uninstrument_fastapi(app)
    assert (list(app.routes), set(vars(app)), dict(app._telemetry)) == before
    app.add_middleware(BaseHTTPMiddleware)  # would raise in an application that looks started
    assert handle.names == []


def test_uninstrumenting_a_running_application_restores_its_very_stack() -> None:
    app, handle = hello_app(), Handle()
    client = TestClient(app)
    client.get("/hello")
    stack, inner = app.middleware_stack, app.middleware_stack.app  # type: ignore[union-attr]
    instrument_fastapi(app, handle)
    client.get("/hello")
    uninstrument_fastapi(app)
    assert app.middleware_stack is stack
    assert stack.app is inner  # type: ignore[union-attr]
    client.get("/hello")
    assert client.get("/metrics").status_code == 404
    assert handle.names == ["GET /hello"]


def test_uninstrumenting_what_is_not_instrumented_does_nothing() -> None:
    app = hello_app()
    uninstrument_fastapi(app)
    assert TestClient(app).get("/hello").status_code == 200


@pytest.mark.usefixtures("fresh_log")
def test_a_started_application_is_observed_from_then_on_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, handle = hello_app(), Handle()
    with TestClient(app) as client:
        client.get("/hello")
        instrument_fastapi(app, handle)
        client.get("/hello")
        assert client.get("/metrics").status_code == 200
    assert handle.names == ["GET /hello"]
    assert handle.calls == []
    assert "called after the application had started" in caplog.text


def test_two_applications_share_a_handle_and_keep_apart() -> None:
    first, second, handle = hello_app(), hello_app(), Handle()
    instrument_fastapi(first, handle)
    instrument_fastapi(second, handle)
    uninstrument_fastapi(first)
    TestClient(first).get("/hello")
    assert handle.names == []
    TestClient(second).get("/hello")
    assert handle.names == ["GET /hello"]


def test_two_applications_on_two_handles() -> None:
    apps, handles = (hello_app(), hello_app()), (Handle(), Handle())
    for app, handle in zip(apps, handles, strict=True):
        instrument_fastapi(app, handle)
    TestClient(apps[0]).get("/hello")
    assert [handle.names for handle in handles] == [["GET /hello"], []]


def test_disabled_telemetry_installs_nothing() -> None:
    app = hello_app()
    before = (list(app.routes), set(vars(app)))
    instrument_fastapi(app, Handle(enabled=False))
    assert (list(app.routes), set(vars(app))) == before


def test_wrong_arguments_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        instrument_fastapi(
            hello_app(), Handle(), excluded_urls=("/a", "(", "["), metrics_path="metrics", health_path="/"
        )
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "instrument_fastapi(excluded_urls[1])",
        "instrument_fastapi(excluded_urls[2])",
        "instrument_fastapi(metrics_path)",
        "instrument_fastapi(health_path)",
    ]


def test_a_single_string_of_excluded_urls_is_refused() -> None:
    with pytest.raises(SettingsError, match="is one string"):
        instrument_fastapi(hello_app(), Handle(), excluded_urls="/a")


def test_something_else_than_fastapi_is_refused() -> None:
    with pytest.raises(SettingsError, match="is not a FastAPI application"):
        instrument_fastapi(object(), Handle())  # type: ignore[arg-type]


def test_the_environment_is_not_touched() -> None:
    before = dict(os.environ)
    app = hello_app()
    instrument_fastapi(app, Handle())
    TestClient(app).get("/hello")
    assert dict(os.environ) == before


@pytest.mark.usefixtures("fresh_log")
def test_http_dup_is_answered_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "database, http/dup")
    instrument_fastapi(hello_app(), Handle())
    assert "stable conventions only" in caplog.text


class TestBesideOthers:
    """FastAPI's own telemetry and the contrib package would observe every request again."""

    def test_fastapi_s_own_telemetry_is_silent(self, telemetry: Telemetry) -> None:
        app = hello_app()
        instrument_fastapi(app, telemetry)
        client = TestClient(app)
        client.get("/hello")
        telemetry.flush()
        assert [span.name for span in telemetry.memory.spans] == ["GET /hello"]
        page = client.get("/metrics").text
        counts = [
            line
            for line in page.splitlines()
            if line.startswith("http_server_request_duration_seconds_count")
        ]
        assert len(counts) == 1
        assert counts[0].endswith(" 1.0")

    def test_fastapi_s_own_telemetry_speaks_again_after_uninstrumenting(self, telemetry: Telemetry) -> None:
        app = hello_app(telemetry={"operation_spans": False})
        instrument_fastapi(app, telemetry)
        uninstrument_fastapi(app)
        TestClient(app).get("/hello")
        telemetry.flush()
        (span,) = telemetry.memory.spans
        assert span.instrumentation_scope is not None
        assert span.instrumentation_scope.name == "fastapi"

    def test_fastapi_s_own_exclusions_hold(self) -> None:
        app, handle = hello_app(telemetry={"exclude": lambda scope: scope["path"] == "/hello"}), Handle()
        instrument_fastapi(app, handle)
        client = TestClient(app)
        client.get("/hello")
        client.get("/other")
        assert handle.names == ["GET unmatched"]

    @pytest.mark.usefixtures("fresh_log")
    def test_contrib_s_instrumentation_is_left_alone(self, caplog: pytest.LogCaptureFixture) -> None:
        app, handle = hello_app(), Handle()
        FastAPIInstrumentor.instrument_app(
            app, tracer_provider=handle.tracer_provider, exclude_spans=["send", "receive"]
        )
        instrument_fastapi(app, handle)
        client = TestClient(app)
        client.get("/hello")
        assert handle.names == ["GET /hello"]
        assert client.get("/metrics").status_code == 200
        assert "opentelemetry-instrumentation-fastapi instruments this application already" in caplog.text
        uninstrument_fastapi(app)
        FastAPIInstrumentor.uninstrument_app(app)

    def test_uninstrumenting_beneath_a_later_wrapper_falls_silent(self) -> None:
        app, handle = hello_app(), Handle()
        instrument_fastapi(app, handle)
        ours = app.build_middleware_stack

        def wrapped() -> Any:
            stack = ours()
            return lambda scope, receive, send: stack(scope, receive, send)  # noqa: PLW0108  not to be seen through

        app.build_middleware_stack = wrapped  # type: ignore[method-assign]
        client = TestClient(app)
        client.get("/hello")
        uninstrument_fastapi(app)
        assert client.get("/hello").status_code == 200
        assert handle.names == ["GET /hello"]
        assert app.build_middleware_stack is wrapped

    def test_contrib_called_later_does_not_observe_twice(self) -> None:
        app, handle = hello_app(), Handle()
        instrument_fastapi(app, handle)
        FastAPIInstrumentor.instrument_app(app, tracer_provider=handle.tracer_provider)
        TestClient(app).get("/hello")
        assert handle.names == ["GET /hello"]


class TestEveryApplication:
    def test_applications_made_from_then_on_are_handed_over(self) -> None:
        """`FastAPI` was imported long before: the class itself is what changes."""

        class Bot(FastAPI):
            pass

        made: list[FastAPI] = []
        early = FastAPI()
        undo = instrument_every_fastapi(made.append)
        try:
            bot, plain = Bot(title="bot"), FastAPI()
        finally:
            undo()
        late = FastAPI()
        assert made == [bot, plain]
        assert early not in made
        assert late not in made
        assert bot.title == "bot"

    def test_undo_restores_the_constructor(self) -> None:
        before = FastAPI.__init__
        instrument_every_fastapi(lambda _app: None)()
        assert FastAPI.__init__ is before

    def test_a_failing_hand_over_does_not_fail_the_application(self) -> None:
        def fail(_app: FastAPI) -> None:
            raise RuntimeError("no")

        undo = instrument_every_fastapi(fail)
        try:
            assert TestClient(hello_app()).get("/hello").status_code == 200
        finally:
            undo()


class TestMetricsPage:
    def test_the_format_is_negotiated_by_the_handle(self) -> None:
        app, handle = hello_app(), Handle()
        instrument_fastapi(app, handle)
        response = TestClient(app).get("/metrics", headers={"accept": "application/openmetrics-text"})
        assert response.text == "# EOF\n"
        assert (
            response.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        )
        assert handle.accepts == ["application/openmetrics-text"]

    def test_the_real_page_speaks_both_formats(self, telemetry: Telemetry) -> None:
        app = hello_app()
        instrument_fastapi(app, telemetry)
        client = TestClient(app)
        client.get("/hello")
        plain = client.get("/metrics", headers={"accept": "text/plain"})
        modern = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
        assert plain.headers["content-type"].startswith("text/plain")
        assert modern.headers["content-type"].startswith("application/openmetrics-text")
        assert modern.text.endswith("# EOF\n")
        assert 'http_route="/hello"' in plain.text

    def test_there_is_none_without_a_prometheus_exporter(self) -> None:
        app = hello_app()
        instrument_fastapi(app, Handle(page=None))
        assert TestClient(app).get("/metrics").status_code == 404

    def test_it_can_be_left_out(self) -> None:
        app = hello_app()
        instrument_fastapi(app, Handle(), metrics_path=None)
        assert TestClient(app).get("/metrics").status_code == 404

    def test_it_is_not_in_the_schema(self) -> None:
        app = hello_app()
        instrument_fastapi(app, Handle())
        assert "/metrics" not in app.openapi()["paths"]

    def test_it_wins_over_a_catch_all_route_added_before_or_after(self) -> None:
        app, handle = FastAPI(), Handle()

        @app.get("/{path:path}")
        async def everything(path: str) -> str:
            return path

        instrument_fastapi(app, handle)
        app.mount("/", PlainTextResponse("mounted"))
        assert TestClient(app).get("/metrics").text == "# EOF\n"

    @pytest.mark.usefixtures("fresh_log")
    def test_a_page_of_the_applications_own_stays(self, caplog: pytest.LogCaptureFixture) -> None:
        app, handle = FastAPI(), Handle()

        @app.get("/metrics")
        async def own() -> str:
            return "own"

        instrument_fastapi(app, handle)
        assert TestClient(app).get("/metrics").json() == "own"
        assert "already serves /metrics" in caplog.text
        uninstrument_fastapi(app)
        assert TestClient(app).get("/metrics").json() == "own"

    def test_a_rendering_that_fails_answers_503(self) -> None:
        class Broken(Handle):
            def exposition(self, accept: str | None = None) -> None:
                raise RuntimeError("render")

        app = hello_app()
        instrument_fastapi(app, Broken())
        assert TestClient(app).get("/metrics").status_code == 503

    async def test_rendering_does_not_block_the_loop(self) -> None:
        """The page is rendered only once another request was served: on the loop this would never end."""
        import asyncio  # noqa: PLC0415  only here
        import threading  # noqa: PLC0415

        import httpx  # noqa: PLC0415

        served = threading.Event()

        class Slow(Handle):
            def exposition(self, accept: str | None = None) -> Any:
                assert served.wait(30)
                return super().exposition(accept)

        app = hello_app()
        instrument_fastapi(app, Slow())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            scrape = asyncio.create_task(client.get("/metrics"))
            await asyncio.sleep(0)
            assert (await client.get("/hello")).status_code == 200
            served.set()
            assert (await scrape).status_code == 200


def test_liveness_probe_is_opt_in_and_not_observed() -> None:
    app, handle = hello_app(), Handle()
    client = TestClient(app)
    assert client.get("/alive").status_code == 404
    instrument_fastapi(app, handle, health_path="/alive")
    assert client.get("/alive").json() == {"status": "ok"}
    assert handle.names == []
