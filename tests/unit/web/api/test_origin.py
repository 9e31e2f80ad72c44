"""Which requests come from this host, on its own behalf."""

from __future__ import annotations

from typing import Any

import pytest

from ticktrace.exporters import is_loopback
from ticktrace.web.api._origin import comes_from_here, group_of


def scope(client: str | None = "127.0.0.1", host: str | None = "localhost:8000", **headers: str) -> Any:
    fields = [(b"host", host.encode())] if host is not None else []
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": None if client is None else (client, 1), "headers": fields}


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "[::1]", "LOCALHOST", "127.1.2.3"]
)
@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_a_program_on_this_host(client: str, host: str) -> None:
    assert comes_from_here(scope(client, host))


@pytest.mark.parametrize(
    "request_scope",
    [
        scope("10.0.0.5"),
        scope("::ffff:10.0.0.5"),
        scope(None),
        scope("localhost"),
        scope("testclient"),
        scope("127.0.0.1.evil.example"),
        scope(host=None),
        scope(host="evil.example"),
        scope(host="localhost.evil.example"),
        scope(host="127.0.0.1@evil.example"),
        scope(host="[::1].evil.example"),
        scope(x_forwarded_for="127.0.0.1"),
        scope(forwarded="for=127.0.0.1"),
        scope(via="1.1 nginx"),
        scope(x_real_ip="10.0.0.5"),
        scope(origin="https://evil.example"),
        scope(origin="null"),
        scope(origin="http://localhost:3000"),
        scope(sec_fetch_site="cross-site"),
        scope(sec_fetch_site="same-site"),
    ],
)
def test_anybody_else(request_scope: Any) -> None:
    assert not comes_from_here(request_scope)


def test_two_hosts_are_none() -> None:
    double = scope()
    double["headers"].append((b"host", b"localhost"))
    assert not comes_from_here(double)


def test_its_own_page_may_ask() -> None:
    assert comes_from_here(scope(origin="http://localhost:8000", sec_fetch_site="same-origin"))


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    assert group_of("2001:db8::1") == group_of("2001:db8::ffff:2") != group_of("2001:db8:0:1::1")
    assert group_of("::ffff:10.0.0.1") != group_of("::ffff:10.0.0.2")
    assert group_of("10.0.0.1") == "10.0.0.1"
    assert len(group_of("x" * 1_000)) <= 64


@pytest.mark.parametrize("address", ["0.0.0." + "0", "::", "", "10.1.2.3", "example.org", "192.168.0.1"])
def test_what_others_can_reach(address: str) -> None:
    assert not is_loopback(address)
