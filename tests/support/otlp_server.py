"""OTLP receivers for tests, real ones: they speak gRPC and HTTP with the official protobuf messages.

with otlp_server("grpc") as server:
    ...export to server.endpoint...
    server.wait_for(lambda: len(server.spans()) == 3)

with hung_server("http") as endpoint: ...    # takes the request and never answers
with refused_endpoint() as endpoint: ...     # nobody listens
"""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = [
    "Kind",
    "OtlpServer",
    "Received",
    "attributes",
    "hung_server",
    "otlp_server",
    "refused_endpoint",
]

Kind = Literal["grpc", "http"]
Signal = Literal["traces", "metrics", "logs"]

_REQUESTS: dict[Signal, Any] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
}
_RESPONSES: dict[Signal, Any] = {
    "traces": trace_service_pb2.ExportTraceServiceResponse,
    "metrics": metrics_service_pb2.ExportMetricsServiceResponse,
    "logs": logs_service_pb2.ExportLogsServiceResponse,
}
_SERVICES: list[tuple[Any, type, Signal]] = [
    (
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server,
        trace_service_pb2_grpc.TraceServiceServicer,
        "traces",
    ),
    (
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server,
        metrics_service_pb2_grpc.MetricsServiceServicer,
        "metrics",
    ),
    (
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server,
        logs_service_pb2_grpc.LogsServiceServicer,
        "logs",
    ),
]
_DECODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@dataclass(frozen=True)
class Received:
    """One export request: which signal, the decoded message, its headers (lower case) and the HTTP path or RPC."""

    signal: Signal
    message: Any
    headers: dict[str, str]
    path: str


@dataclass
class OtlpServer:
    """What arrived, in order.

    `fail_with` makes it refuse: an HTTP status for http, a grpc.StatusCode for grpc; set it to None to accept again.
    """

    endpoint: str = ""
    requests: list[Received] = field(default_factory=list)
    fail_with: Any = None
    attempts: int = 0
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def take(self, received: Received) -> bool:
        """Store a request; False when it is to be refused."""
        with self._lock:
            self.attempts += 1
            accepted = self.fail_with is None
            if accepted:
                self.requests.append(received)
            self._lock.notify_all()
        return accepted

    def wait_for(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until `condition` holds, looking after each request; True when it does."""
        deadline = time.monotonic() + timeout
        with self._lock:
            while not condition():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                self._lock.wait(remaining)
        return True

    def spans(self) -> list[Span]:
        """All spans received."""
        return [
            span
            for request in self._of("traces")
            for resource in request.message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> list[Metric]:
        """All metrics received, from all exports."""
        return [
            metric
            for request in self._of("metrics")
            for resource in request.message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    def logs(self) -> list[LogRecord]:
        """All log records received."""
        return [
            record
            for request in self._of("logs")
            for resource in request.message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def resources(self) -> list[dict[str, Any]]:
        """The attributes of each resource received, of all signals."""
        names = {"traces": "resource_spans", "metrics": "resource_metrics", "logs": "resource_logs"}
        return [
            attributes(entry.resource.attributes)
            for request in tuple(self.requests)
            for entry in getattr(request.message, names[request.signal])
        ]

    def _of(self, signal: Signal) -> list[Received]:
        return [request for request in tuple(self.requests) if request.signal == signal]


def attributes(pairs: Any) -> dict[str, Any]:
    """The attributes of a span, data point, log record or resource as a dictionary of Python values."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        pairs: list[KeyValue] = list(value.kvlist_value.values)
        return attributes(pairs)
    return None if kind is None else getattr(value, kind)


@contextmanager
def otlp_server(kind: Kind, *, port: int = 0, hangs: bool = False) -> Iterator[OtlpServer]:
    """A receiver; its `endpoint` is an http:// URL without path.

    Args:
        kind: grpc or http.
        port: 0 takes a free one; give one to start a receiver again where another was.
        hangs: it takes requests, and stores them, but answers none.
    """
    server = OtlpServer()
    release = threading.Event()
    if not hangs:
        release.set()
    start = _grpc_server if kind == "grpc" else _http_server
    with start(server, release, port):
        yield server


@contextmanager
def hung_server(kind: Kind) -> Iterator[str]:
    """The endpoint of a receiver that accepts connections and requests and never answers."""
    with otlp_server(kind, hangs=True) as server:
        yield server.endpoint


@contextmanager
def refused_endpoint(scheme: str = "http") -> Iterator[str]:
    """An endpoint on which nobody listens, kept so for as long as the block lasts."""
    with socket.socket() as closed:
        closed.bind(
            ("127.0.0.1", 0)
        )  # bound, not listening: connections are refused, and nobody else gets the port
        yield f"{scheme}://127.0.0.1:{closed.getsockname()[1]}"


@contextmanager
def _grpc_server(server: OtlpServer, release: threading.Event, port: int) -> Iterator[None]:
    def export(signal: Signal) -> Callable[[Any, Any, Any], Any]:
        def call(_self: Any, message: Any, context: Any) -> Any:
            headers = {str(key): str(value) for key, value in context.invocation_metadata()}
            accepted = server.take(Received(signal, message, headers, f"{signal}.Export"))
            release.wait()
            if not accepted:
                context.abort(server.fail_with, "refused by the test")
            return _RESPONSES[signal]()

        return call

    def servicer(base: type, signal: Signal) -> Any:
        return type(f"{signal}_servicer", (base,), {"Export": export(signal)})()

    with ThreadPoolExecutor(max_workers=8) as pool:
        rpc = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        for add, base, signal in _SERVICES:
            add(servicer(base, signal), rpc)
        server.endpoint = f"http://127.0.0.1:{rpc.add_insecure_port(f'127.0.0.1:{port}')}"
        rpc.start()
        try:
            yield
        finally:
            stopped = rpc.stop(grace=None)  # cancels the calls that hang, before they could be answered
            release.set()
            stopped.wait()


@contextmanager
def _http_server(server: OtlpServer, release: threading.Event, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signal: Any = self.path.rpartition("/")[2]
            if signal not in _REQUESTS:
                self._answer(404, b"")
                return
            coding = self.headers.get("Content-Encoding")
            if coding is not None:
                body = _DECODERS[coding](body)
            message = _REQUESTS[signal].FromString(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            accepted = server.take(Received(signal, message, headers, self.path))
            if not release.is_set():
                release.wait()
                self.close_connection = True
                return
            self._answer(200 if accepted else server.fail_with, _RESPONSES[signal]().SerializeToString())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.send_header(
                "Connection", "close"
            )  # a kept connection would be answered after the server's end
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away is what some tests are about."""

    http = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    server.endpoint = f"http://127.0.0.1:{http.server_address[1]}"
    thread.start()
    try:
        yield
    finally:
        release.set()
        http.shutdown()
        thread.join()
        http.server_close()
