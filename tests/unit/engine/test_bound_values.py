"""No value that an application records ends it, whatever the engine."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry


@pytest.mark.parametrize("wrong", [None, "abc", [], 10**400, Decimal("sNaN"), float("nan")], ids=str)
def test_what_is_no_number_is_left_out(telemetry: Telemetry, wrong: Any) -> None:
    fill = telemetry.histogram("trading.order.fill.duration")
    trades = telemetry.counter("trading.trades.executed")
    depth = telemetry.gauge("trading.portfolio.value")
    for value in (wrong, 1, wrong):
        fill.record(value)
        trades.add(value)
        depth.set(value)
    captured = Captured(telemetry)
    assert captured.count("trading.order.fill.duration") == 1
    assert captured.value("trading.trades.executed") == 1
    assert captured.value("trading.portfolio.value") == 1
