"""What type checkers make of `measure` and its relatives; mypy checks the assertions, running them checks the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, assert_type

from ticktrace import measure, measure_async, record_end, record_start
from ticktrace.compat import track_call_count, track_duration, track_metric
from ticktrace.measuring import Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def test_decorators_keep_the_type_of_what_they_decorate() -> None:
    def price(symbol: str, *, depth: int = 1) -> float:
        return len(symbol) * depth

    async def fetch(symbol: str) -> bytes:
        return symbol.encode()

    assert_type(measure("x")(price)("a", depth=2), float)
    assert_type(track_duration("order_fill_duration_seconds")(price)("a"), float)
    assert_type(track_call_count("trades_executed_total")(price)("a"), float)
    assert_type(track_metric("portfolio_value")(price)("a"), float)
    decorated: Callable[[str], Coroutine[Any, Any, bytes]] = measure_async("x")(fetch)
    assert_type(asyncio.run(decorated("a")), bytes)


def test_measure_async_gives_what_the_awaitable_gives() -> None:
    async def both() -> None:
        answer = await measure_async("x", asyncio.sleep(0, 5))
        assert_type(answer, int)

    asyncio.run(both())
    assert_type(measure_async("x"), Measure)


def test_a_block_gives_its_measure_and_a_token_its_seconds() -> None:
    with measure("x") as measured:
        assert_type(measured, Measure)
    assert_type(record_end(record_start("x")), float | None)
