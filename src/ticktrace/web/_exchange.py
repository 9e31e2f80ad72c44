"""One request and its response: what is measured, and when it is over.

A response is over when its last byte has been handed to the server, not when the application returns: background
tasks run in between, and they are neither latency nor an active request.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry.semconv._incubating.metrics.http_metrics import (
    create_http_server_active_requests,
    create_http_server_request_body_size,
    create_http_server_response_body_size,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE
from opentelemetry.semconv.attributes.network_attributes import NETWORK_PROTOCOL_VERSION
from opentelemetry.semconv.metrics.http_metrics import HTTP_SERVER_REQUEST_DURATION
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Status, StatusCode
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from ticktrace._version import __version__
from ticktrace.catalog import CATALOG
from ticktrace.engine import text_of
from ticktrace.web._attributes import error_name, header, metric_attributes

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span
    from starlette.types import Message, Scope

__all__ = ["SCHEMA_URL", "SCOPE_NAME", "Exchange", "HttpInstruments"]

SCOPE_NAME = "ticktrace.web"
SCHEMA_URL = Schemas.V1_44_0.value
_SERVER_ERROR = 500


class HttpInstruments:
    """The four HTTP server instruments of OpenTelemetry, created once an application."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter(SCOPE_NAME, __version__, SCHEMA_URL)
        self.duration = meter.create_histogram(
            HTTP_SERVER_REQUEST_DURATION,
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=CATALOG[HTTP_SERVER_REQUEST_DURATION].buckets,
        )
        self.active = create_http_server_active_requests(meter)
        self.request_size = create_http_server_request_body_size(meter)
        self.response_size = create_http_server_response_body_size(meter)


class Exchange:
    """Follows one request, or one WebSocket connection, from its arrival to its end."""

    def __init__(
        self, scope: Scope, span: Span, context: Context, route: str | None, instruments: HttpInstruments
    ) -> None:
        self.span = span
        self.context = context
        self._http = scope["type"] == "http"
        self._scope = scope
        self._route = route
        self._instruments = instruments
        self._attributes = metric_attributes(scope)
        self._error: BaseException | None = None
        self._status: int | None = None
        self._sent = 0
        self._trailers = False
        self._over = False
        self._started = perf_counter()
        if self._http:
            instruments.active.add(1, self._attributes)

    def failed(self, error: BaseException) -> None:
        """Note an exception that no handler of the application caught; called before the 500 is sent."""
        if self._over or error is self._error or isinstance(error, (ClientDisconnect, WebSocketDisconnect)):
            return  # a client that hangs up is not a fault of the server
        self._error = error
        self.span.record_exception(error)

    def sent(self, message: Message) -> None:
        """Follow a message that the application has sent."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            self._trailers = message.get("trailers", False)
        elif kind == "http.response.body":
            self._sent += len(message.get("body", b""))
            if not message.get("more_body", False) and not self._trailers:
                self.end()
        elif kind == "http.response.pathsend" or (
            kind == "http.response.trailers" and not message.get("more_trailers", False)
        ):
            self.end()

    def end(self) -> None:
        """Record the metrics and end the span; only the first call counts."""
        if self._over:
            return
        self._over = True
        duration = perf_counter() - self._started
        if self._http:
            self._instruments.active.add(-1, self._attributes)
        outcome = self._outcome()
        self.span.set_attributes(outcome)
        if self._error is not None:
            self.span.set_status(
                Status(StatusCode.ERROR, f"{type(self._error).__name__}: {text_of(self._error)}")
            )
        elif ERROR_TYPE in outcome:
            self.span.set_status(Status(StatusCode.ERROR))
        if self._http:
            self._measure(duration, outcome)
        self.span.end()

    def _outcome(self) -> dict[str, str | int]:
        outcome: dict[str, str | int] = {}
        if self._status is not None:
            outcome[HTTP_RESPONSE_STATUS_CODE] = self._status
        if self._error is not None:
            outcome[ERROR_TYPE] = error_name(self._error)
        elif self._status is not None and self._status >= _SERVER_ERROR:
            outcome[ERROR_TYPE] = str(self._status)
        return outcome

    def _measure(self, duration: float, outcome: dict[str, str | int]) -> None:
        attributes = {**self._attributes, **outcome}
        if self._route is not None:
            attributes[HTTP_ROUTE] = self._route
        if self._scope.get("http_version"):
            attributes[NETWORK_PROTOCOL_VERSION] = self._scope["http_version"]
        context = self.context  # so that exemplars find the trace
        self._instruments.duration.record(duration, attributes, context)
        length = header(self._scope, "content-length")
        if length is not None and length.isdecimal():
            self._instruments.request_size.record(int(length), attributes, context)
        body = 0 if self._scope.get("method") == "HEAD" else self._sent
        self._instruments.response_size.record(body, attributes, context)
