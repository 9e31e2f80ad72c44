"""The scrape endpoint on a port of its own."""

from __future__ import annotations

import gzip
import http.client
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from ticktrace.errors import SettingsError
from ticktrace.exporters import Exposition, PrometheusServer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Source:
    """Something to scrape that says what it was asked for."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.gate: threading.Event | None = None

    def exposition(self, accept: str | None) -> Exposition:
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            self.gate.wait(10)
        return Exposition(f"accepted {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8")


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def server(source: Source) -> Iterator[PrometheusServer]:
    server = PrometheusServer(source, "127.0.0.1", 0, "/metrics")
    server.start()
    yield server
    assert server.stop(5)


def ask(
    port: int, method: str = "GET", path: str = "/metrics", host: str = "127.0.0.1", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return (
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
    finally:
        connection.close()


def test_a_scrape_gets_what_the_reader_renders_for_its_accept_header(server: PrometheusServer) -> None:
    status, headers, body = ask(server.port, Accept="application/openmetrics-text")
    assert (status, body) == (200, b"accepted application/openmetrics-text\n")
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert server.url == f"http://127.0.0.1:{server.port}/metrics"


def test_a_query_does_not_hide_the_path(server: PrometheusServer) -> None:
    assert ask(server.port, path="/metrics?module=x")[0] == 200


def test_head_sends_the_headers_alone(server: PrometheusServer) -> None:
    status, headers, body = ask(server.port, "HEAD")
    assert (status, headers["content-length"], body) == (200, "14", b"")


@pytest.mark.parametrize("path", ["/", "/metricsx", "/metrics/x"])
def test_any_other_path_is_not_found_and_told_where_to_look(server: PrometheusServer, path: str) -> None:
    status, _, body = ask(server.port, path=path)
    assert (status, body) == (404, b"metrics are at /metrics\n")


def test_other_methods_are_refused(server: PrometheusServer) -> None:
    assert ask(server.port, "POST")[0] == 501


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [("gzip", True), ("deflate, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("", False)],
)
def test_the_body_is_compressed_when_accepted(
    server: PrometheusServer, accepted: str, compressed: bool
) -> None:
    _, headers, body = ask(server.port, **{"Accept-Encoding": accepted})
    assert (headers.get("content-encoding") == "gzip") is compressed
    assert (gzip.decompress(body) if compressed else body) == b"accepted None\n"


def test_a_failing_scrape_is_answered_and_the_next_one_works(
    server: PrometheusServer, source: Source
) -> None:
    source.failure = TimeoutError("other scrapes took longer than 10 s")
    status, _, body = ask(server.port)
    assert (status, body) == (503, b"TimeoutError: other scrapes took longer than 10 s\n")
    source.failure = None
    assert ask(server.port)[0] == 200


def test_a_client_that_says_nothing_holds_up_nobody(server: PrometheusServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert ask(server.port)[0] == 200


def test_connections_are_bounded(server: PrometheusServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(16)]
    try:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            ask(server.port)
    finally:
        for connection in silent:
            connection.close()


def test_after_stop_the_port_is_free_and_the_server_can_start_again(source: Source) -> None:
    server = PrometheusServer(source, "127.0.0.1", 0)
    server.start()
    server.start()
    port = server.port
    assert server.stop(5)
    assert server.stop(5)
    with pytest.raises(ConnectionRefusedError):
        ask(port)
    again = PrometheusServer(source, "127.0.0.1", port)
    again.start()
    assert ask(port)[0] == 200
    assert again.stop(5)


def test_stop_does_not_wait_for_a_scrape_under_way(server: PrometheusServer, source: Source) -> None:
    source.gate = threading.Event()
    results: list[int] = []
    scrape = threading.Thread(target=lambda: results.append(ask(port)[0]))
    port = server.port
    scrape.start()
    while not any("process_request_thread" in thread.name for thread in threading.enumerate()):
        scrape.join(0.01)
    assert server.stop(5)
    source.gate.set()
    scrape.join(10)
    assert results == [200]


def test_a_taken_port_names_the_address_and_the_setting(server: PrometheusServer, source: Source) -> None:
    second = PrometheusServer(source, "127.0.0.1", server.port)
    with pytest.raises(SettingsError) as raised:
        second.start()
    [problem] = raised.value.problems
    assert problem == (
        f"prometheus.port: cannot listen on 127.0.0.1:{server.port}: the port is taken; choose another prometheus.port "
        "(OTEL_EXPORTER_PROMETHEUS_PORT), 0 for any free one, or prometheus.serve: never"
    )
    assert second.stop(0)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_here_names_the_setting(source: Source, host: str) -> None:
    with pytest.raises(SettingsError, match=rf"prometheus\.host: .*{host}"):
        PrometheusServer(source, host, 0).start()


def test_localhost_is_reached_by_ipv4(source: Source) -> None:
    server = PrometheusServer(source, "localhost", 0)
    server.start()
    assert ask(server.port, host="127.0.0.1")[0] == 200
    assert server.stop(5)


def test_ipv6_is_listened_on_when_asked_for(source: Source) -> None:
    server = PrometheusServer(source, "::1", 0)
    try:
        server.start()
    except SettingsError:
        pytest.skip("this machine has no IPv6")
    assert server.url == f"http://[::1]:{server.port}/metrics"
    assert ask(server.port, host="::1")[0] == 200
    assert server.stop(5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_lets_go_of_the_port_and_the_parent_goes_on(server: PrometheusServer) -> None:
    read, write = os.pipe()
    port = server.port
    child = os.fork()
    if child == 0:
        try:
            held = sum(
                1
                for name in os.listdir("/proc/self/fd")  # noqa: PTH208  the child must do as little as it can
                if _listens_on(int(name), port)
            )
            stopped = server.stop(1)
            os.write(write, f"{held} {stopped}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"0 True"
    os.close(read)
    os.close(write)
    assert ask(port)[0] == 200


def _listens_on(descriptor: int, port: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as candidate:
            return bool(candidate.getsockname()[1] == port)
    except (OSError, IndexError):
        return False
