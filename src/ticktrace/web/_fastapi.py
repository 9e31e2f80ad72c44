"""Instrument one application, and undo it."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware

from ticktrace.engine.barrier import warn_once
from ticktrace.errors import SettingsError
from ticktrace.exporters import bearer_check
from ticktrace.web._health import health_route
from ticktrace.web._lifespan import serve_lifespan
from ticktrace.web._metrics_route import metrics_route
from ticktrace.web._middleware import ExceptionRecorder, RequestMiddleware
from ticktrace.web._options import DEFAULT_EXCLUDED_URLS, Options, checked_options
from ticktrace.web._routes import has_route
from ticktrace.web.api import ApiHandle, ApiRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ticktrace.web._protocol import TelemetryHandle

__all__ = ["instrument_fastapi", "uninstrument_fastapi"]

_KEY = "_ticktrace_installation"
_CONTRIB_KEY = "_is_instrumented_by_opentelemetry"
_lock = threading.RLock()


def instrument_fastapi(
    app: FastAPI,
    telemetry: TelemetryHandle,
    *,
    excluded_urls: Iterable[str] = DEFAULT_EXCLUDED_URLS,
    metrics_path: str | None = "/metrics",
    health_path: str | None = None,
    api_path: str | None = "/api/metrics",
    shutdown: bool = True,
) -> None:
    """Observe an application: HTTP spans and metrics, a metrics page, and a shutdown that loses nothing.

    Call it where the application is built; routes and middleware may be added before or after. Called again with the
    same arguments it does nothing; with others it replaces what was installed. Called while the application already
    runs, requests are observed and the metrics page is served from then on, but the lifespan that is under way cannot
    be joined: a warning says so, and the caller has to shut the telemetry down.

    Args:
        app: the outermost FastAPI application; what is mounted in it is observed through it.
        telemetry: the handle that `ticktrace.setup_telemetry` returned; a disabled one installs nothing.
        excluded_urls: regular expressions; a path that one of them matches whole is not observed.
            ``OTEL_PYTHON_FASTAPI_EXCLUDED_URLS`` adds to them with its own meaning.
        metrics_path: where the metrics page is served, or None.
        health_path: where a minimal liveness probe is served, or None.
        api_path: where the metrics API is served, or None; ``api.enabled`` of the settings turns it off, too. It may be
            `metrics_path`, whose page stays as it is.
        shutdown: whether the end of the last application that runs on the handle shuts it down; False only flushes.

    Raises:
        SettingsError: an argument is wrong; all problems are listed.
    """
    if not (isinstance(telemetry, ApiHandle) and telemetry.settings.api.enabled):
        api_path = None  # another handle than ours has less to tell
    options = checked_options(excluded_urls, metrics_path, health_path, shutdown=shutdown, api_path=api_path)
    if not isinstance(app, FastAPI):
        raise SettingsError([f"instrument_fastapi(app): {app!r} is not a FastAPI application"])
    if not telemetry.enabled:
        return
    with _lock:
        current: _Installation | None = getattr(app, _KEY, None)
        if current is not None and current.telemetry is telemetry and current.options == options:
            return
        api = _api_of(telemetry, options)  # before anything changes: a file of keys may be wrong
        if current is not None:
            current.undo()
        installation = _Installation(app, telemetry, options, api)
        installation.apply(joined_late=current is None and app.middleware_stack is not None)
        setattr(app, _KEY, installation)


def uninstrument_fastapi(app: FastAPI) -> None:
    """Take everything out again that `instrument_fastapi` put in; an application without it stays as it is."""
    with _lock:
        installation: _Installation | None = getattr(app, _KEY, None)
        if installation is not None:
            delattr(app, _KEY)
            installation.undo()


def _api_of(telemetry: TelemetryHandle, options: Options) -> ApiRoute | None:
    path = options.api_path
    if path is None or not isinstance(telemetry, ApiHandle):
        return None
    api = ApiRoute(telemetry, path, below_only=options.metrics_path == path)
    _NativeTelemetry(api.api).silence()
    return api


def _token_check(telemetry: TelemetryHandle) -> Callable[[str], bool] | None:
    return bearer_check(telemetry.settings.prometheus.token) if isinstance(telemetry, ApiHandle) else None


class _Front:
    """The application's middleware stack with ours around it."""

    def __init__(self, app: ASGIApp, installation: _Installation) -> None:
        self.app = app
        self._installation = installation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        installation = self._installation
        if not installation.active:  # undone, but inside a stack that someone else has wrapped since
            await self.app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await serve_lifespan(
                self.app,
                scope,
                receive,
                send,
                telemetry=installation.telemetry,
                shutdown=installation.options.shutdown,
                installed=installation.still_serves,
            )
        elif installation.requests is None:
            await self.app(scope, receive, send)
        else:
            await installation.requests(self.app, scope, receive, send)


class _Installation:
    """What is in one application, and what was there before."""

    def __init__(
        self, app: FastAPI, telemetry: TelemetryHandle, options: Options, api: ApiRoute | None
    ) -> None:
        self.telemetry = telemetry
        self.options = options
        self.requests: RequestMiddleware | None = None
        self._app = app
        self.active = False
        self._routes: list[Route | ApiRoute] = []
        self._api = api
        self._native = _NativeTelemetry(app)
        self._build_before: Any = app.__dict__.get(
            "build_middleware_stack"
        )  # another instrumentation's, or None
        self._original_build = app.build_middleware_stack

    def apply(self, *, joined_late: bool) -> None:
        app = self._app
        if getattr(app, _CONTRIB_KEY, False):
            warn_once(
                "web.contrib",
                "ticktrace: opentelemetry-instrumentation-fastapi instruments this application already; "
                "its spans and metrics are left alone. Remove its instrument_app() call to get ticktrace's.",
            )
        else:
            _say_if_old_conventions_are_wanted()
            self.requests = RequestMiddleware(self.telemetry, self.options, self._native.exclude)
            self._native.silence()
            setattr(app, _CONTRIB_KEY, True)  # a later instrument_app() would observe everything twice
        self._add_routes()
        self.active = True
        app.build_middleware_stack = self._build  # type: ignore[method-assign]
        if app.middleware_stack is not None:
            app.middleware_stack = self._around(app.middleware_stack)
        if joined_late:
            warn_once(
                "web.late",
                "ticktrace: instrument_fastapi() was called after the application had started: its requests are "
                "observed from now on, but its end is not. Call it where the application is built, or call "
                "telemetry.shutdown() at the end of your lifespan.",
            )

    def still_serves(self) -> bool:
        """Whether the application is still ours to end: perhaps with other options, not with another handle."""
        current: _Installation | None = getattr(self._app, _KEY, None)
        return current is not None and current.telemetry is self.telemetry

    def undo(self) -> None:
        app = self._app
        self.active = False
        for route in self._routes:
            if route in app.router.routes:
                app.router.routes.remove(route)
        if app.__dict__.get("build_middleware_stack") == self._build:
            if self._build_before is None:
                del app.build_middleware_stack
            else:
                app.build_middleware_stack = self._build_before  # type: ignore[method-assign]
        front = app.middleware_stack
        if isinstance(front, _Front) and front._installation is self:  # noqa: SLF001  the same module
            app.middleware_stack = front.app
            if isinstance(front.app, ServerErrorMiddleware) and isinstance(front.app.app, ExceptionRecorder):
                front.app.app = front.app.app.app
        if self.requests is not None:
            self._native.restore()
            delattr(app, _CONTRIB_KEY)

    def _build(self) -> ASGIApp:
        stack = self._original_build()
        return self._around(stack) if self.active else stack  # someone may still hold us after undo()

    def _around(self, stack: ASGIApp) -> ASGIApp:
        if isinstance(stack, ServerErrorMiddleware):
            stack.app = ExceptionRecorder(stack.app)
        return _Front(stack, self)

    def _add_routes(self) -> None:
        routes = self._app.router.routes
        if self.options.health_path is not None:
            self._routes.append(health_route(self.options.health_path))
        if self.options.metrics_path is not None:
            self._routes.append(
                metrics_route(self.telemetry, self.options.metrics_path, _token_check(self.telemetry))
            )
        if self._api is not None:
            self._routes.append(self._api)
        for route in list(self._routes):
            if not isinstance(route, ApiRoute) and has_route(routes, route.path):
                self._routes.remove(route)
                warn_once(
                    f"web.path {route.path}",
                    "ticktrace: the application already serves %s; its route stays. "
                    "Give instrument_fastapi() another path, or None.",
                    route.path,
                )
            else:
                routes.insert(0, route)  # before any catch-all route or mount, whenever that is added


def _say_if_old_conventions_are_wanted() -> None:
    wanted = os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")
    if "http/dup" in (word.strip() for word in wanted):
        warn_once(
            "web.semconv",
            "ticktrace: OTEL_SEMCONV_STABILITY_OPT_IN asks for http/dup; ticktrace records HTTP servers by the stable "
            "conventions only (http.server.request.duration in seconds).",
        )


class _NativeTelemetry:
    """FastAPI's own telemetry (0.142 and newer), which would observe every request a second time."""

    def __init__(self, app: FastAPI) -> None:
        config = getattr(app, "_telemetry", None)
        self._config: dict[str, Any] = config if isinstance(config, dict) else {}
        self._before: dict[str, Any] = {
            key: self._config[key] for key in ("auto_configure", "exclude") if key in self._config
        }
        self.exclude: Any = self._before.get("exclude")

    def silence(self) -> None:
        if self._before:
            # auto_configure would attach a second OTLP exporter to our providers.
            silent: dict[str, Any] = {"auto_configure": False, "exclude": lambda _scope: True}
            self._config.update(silent)

    def restore(self) -> None:
        self._config.update(self._before)
