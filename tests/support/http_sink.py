"""A real HTTP server on 127.0.0.1 that writes down what it is sent, and answers as it is told to."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HttpSink", "Request"]


class Request(NamedTuple):
    """One request."""

    method: str
    path: str
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class HttpSink:
    """Takes requests from the start of the block to its end.

    Args:
        statuses: of the first answers; 200 afterwards.
        hold: answers wait for it.
    """

    def __init__(self, *statuses: int, hold: threading.Event | None = None) -> None:
        self.requests: list[Request] = []
        self._statuses = list(statuses)
        self._hold = hold
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sink.requests.append(Request(self.command, self.path, body))
                if sink._hold is not None:
                    sink._hold.wait(20)
                status = sink._statuses.pop(0) if sink._statuses else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815  http.server's name

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.server_address[1]
        return port

    @property
    def bodies(self) -> list[Any]:
        """The JSON of each request."""
        return [request.json for request in self.requests]

    def wait_for(self, happened: Callable[[], bool], timeout: float = 20.0) -> None:
        """Wait until something is true of it."""
        deadline = time.monotonic() + timeout
        while not happened():
            assert time.monotonic() < deadline, self.requests
            time.sleep(0.01)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._hold is not None:
            self._hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
