"""A small HTTP server that answers Prometheus's scrapes on a port of its own."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import selectors
import socket
import threading
import time
import weakref
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ticktrace.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.exporters.exposition import ScrapeSource

__all__ = ["PrometheusServer"]

_log = logging.getLogger("ticktrace")

_CLIENT_SECONDS = 10.0  # a client that neither sends nor reads for this long is let go
_MAX_CONNECTIONS = 16  # at once; scrapes are rendered one after the other anyway
_OUT_OF_FILES_SECONDS = 0.1


class PrometheusServer:
    """Serves one path on one port, in daemon threads; a forked child serves nothing.

    Args:
        reader: what is scraped.
        host: address or name to listen on.
        port: port to listen on; 0 takes any free one.
        path: URL path of the metrics; all others are 404.
        allows: tells from the ``Authorization`` header whether somebody may scrape; without it everybody may.
    """

    def __init__(
        self,
        reader: ScrapeSource,
        host: str,
        port: int,
        path: str = "/metrics",
        allows: Callable[[str], bool] | None = None,
    ) -> None:
        self._reader = reader
        self._host = host
        self._port = port
        self._path = path
        self._allows = allows
        self._http: _HTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None

    @property
    def port(self) -> int:
        """The port listened on; as configured until `start()`."""
        return self._port if self._http is None else int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Where the metrics are, e.g. `http://localhost:9464/metrics`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}{self._path}"

    def start(self) -> None:
        """Listen and serve, until `stop()`; does nothing when serving already.

        Raises:
            SettingsError: the address cannot be listened on; the message names it and the settings.
        """
        if self._http is not None:
            return
        self._http = http = self._listen()
        self._wake = wake = socket.socketpair()
        self._thread = threading.Thread(
            target=_serve, args=(http, wake[0]), name="ticktrace-prometheus", daemon=True
        )
        self._thread.start()
        _close_in_children(self)

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop listening; scrapes under way may end.

        Args:
            timeout: seconds to wait for the listening thread.

        Returns:
            True when the thread has ended in time, or there was none.
        """
        if self._http is None or self._thread is None or self._wake is None:
            return True
        self._wake[1].send(b"x")
        self._thread.join(timeout)
        ended = not self._thread.is_alive()
        self._close()
        return ended

    def _close(self) -> None:
        if self._http is not None:
            self._http.server_close()
        for end in self._wake or ():
            end.close()
        self._http = self._thread = self._wake = None

    def _listen(self) -> _HTTPServer:
        where = f"{self._host}:{self._port}"
        try:
            family, address = _resolve(self._host, self._port)
        except OSError as error:
            raise SettingsError(
                [f"prometheus.host: {self._host!r} is not an address of this machine: {error.strerror}"]
            ) from error
        try:
            return _HTTPServer(address, family, self._reader, self._path, self._allows)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                problem = (
                    f"prometheus.port: cannot listen on {where}: the port is taken; choose another prometheus.port "
                    "(OTEL_EXPORTER_PROMETHEUS_PORT), 0 for any free one, or prometheus.serve: never"
                )
            elif error.errno == errno.EACCES:
                problem = f"prometheus.port: cannot listen on {where}: ports below 1024 need privileges"
            else:
                problem = f"prometheus.host: cannot listen on {where}: {error.strerror}"
            raise SettingsError([problem]) from error


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """Return family and address to bind; of a name's addresses the IPv4 one, which every scraper tries."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _serve(http: _HTTPServer, wake: socket.socket) -> None:
    # Not serve_forever(): it wakes up twice a second for nothing and takes as long to stop.
    with selectors.DefaultSelector() as selector:
        selector.register(http, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            if any(key.fileobj is wake for key, _ in selector.select()):
                return
            http.handle_request()


def _close_in_children(server: PrometheusServer) -> None:
    """Let forked children let go of the port, which they would otherwise hold without answering."""
    if not hasattr(os, "register_at_fork"):
        return
    close = weakref.WeakMethod(server._close)  # noqa: SLF001  same module

    def after_in_child() -> None:
        if (call := close()) is not None:
            call()

    os.register_at_fork(after_in_child=after_in_child)


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_port = False  # two bots on one port would each see a part of the scrapes
    request_queue_size = 64  # of 5, the sixth of a burst would be tried again a second later
    timeout = 0.0  # of handle_request(): it is called when a connection is there

    def __init__(
        self,
        address: Any,
        family: socket.AddressFamily,
        reader: ScrapeSource,
        path: str,
        allows: Callable[[str], bool] | None,
    ) -> None:
        self.allows = allows
        self.address_family = family
        self.reader = reader
        self.path = path
        self._places = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__(address, _Handler)

        self.socket.setblocking(False)  # a client that is gone again must not keep accept() waiting

    def server_bind(self) -> None:
        # HTTPServer's own looks up the host's full name, which may take seconds.
        TCPServer.server_bind(self)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                time.sleep(
                    _OUT_OF_FILES_SECONDS
                )  # the connection stays ready: without a pause this would spin
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the base class's signature
        _log.debug("ticktrace: a scrape from %s broke off", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ticktrace"
    sys_version = ""
    timeout = _CLIENT_SECONDS

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def _answer(self, *, send_body: bool) -> None:
        server = cast("_HTTPServer", self.server)
        if server.allows is not None and not server.allows(self.headers.get("Authorization", "")):
            asked = {
                "Content-Type": "text/plain; charset=utf-8",
                "WWW-Authenticate": 'Bearer realm="ticktrace"',
            }
            self._send(HTTPStatus.UNAUTHORIZED, b"a token is needed\n", asked, send_body=send_body)
            return
        if urlsplit(self.path).path != server.path:
            text = f"metrics are at {server.path}\n".encode()
            self._send(HTTPStatus.NOT_FOUND, text, send_body=send_body)
            return
        try:
            scrape = server.reader.exposition(self.headers.get("Accept"))
        except Exception as error:  # noqa: BLE001  the scraper is told, and the next scrape may work
            text = f"{type(error).__name__}: {error}\n".encode()
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, text, send_body=send_body)
            return
        body, headers = scrape.body, {"Content-Type": scrape.content_type, "Vary": "Accept, Accept-Encoding"}
        if _accepts_gzip(self.headers.get("Accept-Encoding", "")):
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        self._send(HTTPStatus.OK, body, headers, send_body=send_body)

    def _send(
        self, status: HTTPStatus, body: bytes, headers: dict[str, str] | None = None, *, send_body: bool
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {"Content-Type": "text/plain; charset=utf-8"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # a kept connection would outlive stop()
        self.end_headers()
        if send_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing: a scrape every few seconds is not news."""


def _accepts_gzip(header: str) -> bool:
    for part in header.split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip().lower() in {"gzip", "*"}:
            return parameters.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
