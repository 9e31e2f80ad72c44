"""Own instruments reach a real Prometheus, which finds them by the queries of their panels."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

import custom_instrument as example
from support.prometheus import Prometheus, free_port
from ticktrace.catalog import panel_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ticktrace import Telemetry

pytestmark = pytest.mark.backend


def test_every_panel_of_the_example_shows_something(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    port = free_port()
    telemetry = start(
        exporters={"metrics": ["prometheus"]},
        prometheus={"port": port, "serve": "always"},
        instruments=example.ROWS,
    )
    over = threading.Event()

    def trade() -> None:
        while not over.wait(0.02):
            example.run(telemetry, rounds=1)

    bot = threading.Thread(target=trade)
    bot.start()
    queries = [target["expr"] for row in example.ROWS for target in panel_of(row)["targets"]]
    try:
        with Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{port}"], interval="250ms") as prometheus:
            deadline = time.monotonic() + 30
            empty = queries
            while empty and time.monotonic() < deadline:
                time.sleep(0.2)
                empty = [query for query in empty if not answered(prometheus, query)]
            hedged = prometheus.table("acme_hedge_ratio", "trading_symbol", "acme_desk")
    finally:
        over.set()
        bot.join()
    assert empty == []
    assert set(hedged) == {("BTC/USDT", "futures"), ("ETH/USDT", "futures")}


def answered(prometheus: Prometheus, query: str) -> bool:
    return any(value == value for _, value in prometheus.query(query.replace("$__rate_interval", "5s")))  # noqa: PLR0124  not NaN
