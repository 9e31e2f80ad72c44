"""The example of the event buses records every instrument of theirs, with no more than the catalog's attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import event_bus
from ticktrace.catalog import CATALOG

if TYPE_CHECKING:
    import pytest

    from support.captured import Captured
    from ticktrace import Telemetry


async def test_orders_are_sent_in_the_trace_of_their_candle(telemetry: Telemetry, captured: Captured) -> None:
    assert await event_bus.on_asyncio(telemetry) == 4
    candles = {span.context.trace_id for span in captured.named("candle 1m")}
    orders = [span.context.trace_id for span in captured.named("send order")]
    assert len(set(orders)) == 4
    assert set(orders) <= candles
    assert captured.count("trading.event_bus.handle.duration", error__type="OSError") == 6


def test_what_does_not_fit_is_dropped_and_the_end_comes(telemetry: Telemetry, captured: Captured) -> None:
    *taken, handled = event_bus.on_threads(telemetry)
    assert taken == [True] * 6
    assert not handled
    reasons = {
        reason: captured.value("trading.event_bus.dropped", trading__event__drop__reason=reason)
        for reason in ("displaced", "shutdown")
    }
    # The handler hangs with one event, or has not been quick enough to take one.
    assert reasons in (
        {"displaced": 3, "shutdown": 2},
        {"displaced": 4, "shutdown": 1},
        {"displaced": 4, "shutdown": 2},
    )


def test_the_example_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    event_bus.main()
    out = capsys.readouterr().out
    assert (
        "4 orders were sent\n6 ticks were taken, all handled: False\n3 ticks went over somebody's bus\n"
        in out
    )


async def test_every_instrument_of_the_group_is_recorded_with_allowed_attributes(
    telemetry: Telemetry, captured: Captured
) -> None:
    await event_bus.on_asyncio(telemetry)
    event_bus.on_threads(telemetry)
    event_bus.on_somebodys(telemetry)
    for name, row in CATALOG.items():
        if row.group == "event bus":
            points = captured.points(name)
            assert points, name
            seen = {key for point in points for key in point.attributes}
            assert seen <= set(row.attributes)
            assert {"trading.engine.mode"} <= seen
