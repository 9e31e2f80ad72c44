"""The ASGI middleware that observes requests and WebSocket connections.

Not the contrib package's: that one takes background tasks for latency, hands one response's size to the next, fails
a request whose headers it cannot decode, and follows a process-wide switch between two generations of names. What it
does well is kept: the environment variables, the header capture, the stable names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.propagators import get_global_response_propagator
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.propagators.textmap import Setter
from opentelemetry.trace import SpanKind
from opentelemetry.util.http import (
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS,
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST,
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE,
    get_custom_header_attributes,
    get_custom_headers,
    get_excluded_urls,
    normalise_request_header_name,
    normalise_response_header_name,
)

from ticktrace._version import __version__
from ticktrace.engine.barrier import report
from ticktrace.web._attributes import HeaderGetter, header, route_path, span_attributes, span_name
from ticktrace.web._exchange import SCHEMA_URL, SCOPE_NAME, Exchange, HttpInstruments
from ticktrace.web._routes import route_template

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from opentelemetry.context import Context
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ticktrace.web._options import Options
    from ticktrace.web._protocol import TelemetryHandle

__all__ = ["ExceptionRecorder", "RequestMiddleware"]

P = ParamSpec("P")

_EXCHANGE = "ticktrace.exchange"
_getter = HeaderGetter()


class _HeaderSetter(Setter["MutableMapping[str, Any]"]):
    def set(self, carrier: MutableMapping[str, Any], key: str, value: str) -> None:
        carrier["headers"] = [
            *carrier.get("headers", ()),
            (key.lower().encode("latin-1"), value.encode("latin-1")),
        ]


_setter = _HeaderSetter()


class ExceptionRecorder:
    """Sits just below Starlette's error handler: sees an exception before the 500 it becomes is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note what it raises."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            exchange: Exchange | None = scope.get(_EXCHANGE)
            if exchange is not None:
                _note(exchange.failed, error)
            raise


class RequestMiddleware:
    """Observes every request that is not excluded; a fault in here never reaches the application."""

    def __init__(
        self, telemetry: TelemetryHandle, options: Options, user_excludes: Callable[[Scope], bool] | None
    ) -> None:
        self._options = options
        self._user_excludes = user_excludes
        self._excluded_by_environment = get_excluded_urls("FASTAPI")
        self._request_headers = get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST)
        self._response_headers = get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE)
        self._sensitive = get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS)
        self._tracer = telemetry.tracer_provider.get_tracer(SCOPE_NAME, __version__, SCHEMA_URL)
        self._instruments = HttpInstruments(telemetry.meter_provider)

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request through `app`."""
        if _EXCHANGE in scope:  # an instrumented application mounted in another one: observed already
            await app(scope, receive, send)
            return
        scope[_EXCHANGE] = exchange = self._begin(scope)
        if exchange is None:
            await app(scope, receive, send)
            return

        async def observed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(self._response_starts, exchange, message)
            await send(message)
            _note(exchange.sent, message)

        token = otel_context.attach(exchange.context)
        try:
            await app(scope, receive, observed_send)
        except Exception as error:
            _note(exchange.failed, error)
            raise
        finally:
            _note(exchange.end)
            otel_context.detach(token)

    def _begin(self, scope: Scope) -> Exchange | None:
        try:
            if self._excluded(scope) or not is_http_instrumentation_enabled():
                return None
            route = _template(scope)
            attributes = span_attributes(scope, route)
            if self._request_headers:
                attributes.update(
                    get_custom_header_attributes(
                        _listed(scope), self._request_headers, self._sensitive, normalise_request_header_name
                    )
                )
            parent = propagate.extract(scope, _surroundings(), _getter)
            span = self._tracer.start_span(span_name(scope, route), parent, SpanKind.SERVER, attributes)
            return Exchange(scope, span, trace.set_span_in_context(span, parent), route, self._instruments)
        except Exception as error:  # noqa: BLE001  the request is worth more than its telemetry
            report("web.request", error)
            return None

    def _excluded(self, scope: Scope) -> bool:
        path = route_path(scope)
        if self._options.excludes(path):
            return True
        if self._user_excludes is not None and self._user_excludes(scope):
            return True
        host = header(scope, "host") or ""
        return self._excluded_by_environment.url_disabled(
            f"{scope.get('scheme', 'http')}://{host}{scope['path']}"
        )

    def _response_starts(self, exchange: Exchange, message: Message) -> None:
        propagator = get_global_response_propagator()  # type: ignore[no-untyped-call]
        if propagator is not None:
            propagator.inject(message, exchange.context, _setter)
        if self._response_headers:
            exchange.span.set_attributes(
                get_custom_header_attributes(
                    _listed(message), self._response_headers, self._sensitive, normalise_response_header_name
                )
            )


def _note(step: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    try:
        step(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  see _begin
        report("web.response", error)


def _template(scope: Scope) -> str | None:
    try:
        return route_template(scope)
    except Exception as error:  # noqa: BLE001  a route of the user's may match by code of its own
        report("web.route", error)
        return None


def _surroundings() -> Context:
    """The context that a request without a remote parent starts in.

    A server that was started inside a span hands that span to every later request. Once it has ended it is no parent:
    the request begins a trace of its own.
    """
    context = otel_context.get_current()
    if getattr(trace.get_current_span(context), "end_time", None) is not None:
        return trace.set_span_in_context(trace.INVALID_SPAN, context)
    return context


def _listed(carrier: MutableMapping[str, Any]) -> dict[str, str | list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in carrier.get("headers") or ():
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {**headers}
