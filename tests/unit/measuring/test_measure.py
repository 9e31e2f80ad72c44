"""`measure` and `measure_async`: what is timed, under which labels, by whom at once, and when telemetry is not there."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace import Telemetry, measure, measure_async
from ticktrace.engine import internal_errors
from ticktrace.measuring import _measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DURATION = "ticktrace.measure.duration"


def counted(telemetry: Telemetry, name: str, **attributes: Any) -> int:
    return Captured(telemetry).count(DURATION, ticktrace__measure__name=name, **attributes)


@pytest.fixture(autouse=True)
def nothing_is_contained() -> Iterator[None]:
    """A fault that the barrier hides would make a test pass that should not."""
    before = internal_errors()
    yield
    assert internal_errors() == before


class Hands:
    """A clock that each test moves by hand, put under the blocks of `Measure`."""

    def __init__(self) -> None:
        self.time = 1_000

    def __call__(self) -> int:
        return self.time


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(_measure.Measure.__enter__, "__defaults__", (hands,))
    monkeypatch.setattr(_measure.Measure.__exit__, "__defaults__", (hands,))
    return hands


def durations(telemetry: Telemetry, name: str) -> list[float]:
    """The sums of the series, which tell single durations apart as long as each has a series of its own."""
    return sorted(
        point.sum
        for point in Captured(telemetry).points(DURATION)
        if point.attributes["ticktrace.measure.name"] == name
    )


def test_a_block_is_recorded_in_seconds_under_its_name(telemetry: Telemetry, hands: Hands) -> None:
    with measure("rebalance"):
        hands.time += 250_000_000
    assert durations(telemetry, "rebalance") == [pytest.approx(0.25)]
    assert counted(telemetry, "rebalance", trading__engine__mode="live") == 1


def test_labels_are_given_by_bare_word_or_by_key_and_none_is_none(telemetry: Telemetry) -> None:
    with measure("x", symbol="BTC/USDT", strategy=None, **{"trading.component": "feed"}):
        pass
    (point,) = Captured(telemetry).points(DURATION)
    assert dict(point.attributes) == {
        "ticktrace.measure.name": "x",
        "trading.symbol": "BTC/USDT",
        "trading.component": "feed",
        "trading.engine.mode": "live",
    }


def test_what_is_no_label_is_left_out_and_said(
    telemetry: Telemetry, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    with measure(f"unlabelled on {engine}", order_id="A-1"):
        pass
    (point,) = Captured(telemetry).points(DURATION)
    assert "A-1" not in point.attributes.values()
    assert "no attribute 'order_id'" in caplog.text


def test_a_duration_of_the_catalog_is_recorded_as_itself(telemetry: Telemetry) -> None:
    with measure("trading.buffer.update.duration", venue="binance", symbol="BTC/USDT", timeframe="1m"):
        pass
    with measure("signal_generation_duration_seconds", strategy="sma"):
        pass
    captured = Captured(telemetry)
    assert captured.count("trading.buffer.update.duration", trading__symbol="BTC/USDT") == 1
    assert captured.count("trading.signal.generation.duration", trading__strategy__name="sma") == 1
    assert captured.points(DURATION) == []


@pytest.mark.parametrize("name", ["trading.candle.procesing.duration", "trading.candles.processed"])
def test_a_name_that_only_looks_like_the_catalogs_is_said_and_recorded_as_code(
    telemetry: Telemetry, engine: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with measure(name, component=engine):  # a name and its labels are looked up, and warned of, once
        pass
    assert counted(telemetry, name) == 1
    assert "the catalog has no duration of that name; near: " in caplog.text
    assert "candle.processing.duration" in caplog.text or "trading.candles.processed" in caplog.text


def test_names_beyond_the_limit_share_a_series(telemetry: Telemetry) -> None:
    for number in range(230):
        with measure(f"block {number}"):
            pass
    points = Captured(telemetry).points(DURATION)
    assert len(points) == 201
    assert counted(telemetry, "other") == 30


def test_symbols_share_the_limit_of_trading(start: Callable[..., Telemetry]) -> None:
    telemetry = start(trading={"max_symbols": 1})
    telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m").message()
    with measure("z", symbol="ETH/USDT"):
        pass
    assert counted(telemetry, "z", trading__symbol="other") == 1


def test_an_exception_goes_on_and_is_the_error_type(telemetry: Telemetry) -> None:
    with pytest.raises(ZeroDivisionError), measure("fails"):
        _ = 1 / 0
    assert counted(telemetry, "fails", error__type="ZeroDivisionError") == 1
    assert counted(telemetry, "fails") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_what_is_no_error_is_recorded_without_one(telemetry: Telemetry, error: type[BaseException]) -> None:
    with pytest.raises(error), measure("stopped"):
        raise error
    (point,) = Captured(telemetry).points(DURATION)
    assert "error.type" not in point.attributes


# --- used again and at once ------------------------------------------------------------------------------------------


def test_one_object_nests_in_itself(telemetry: Telemetry, hands: Hands) -> None:
    timer = measure("nested")
    seconds: list[int] = []
    timer._site = seconds_into(timer, seconds)
    with timer:
        hands.time += 1
        with timer:
            hands.time += 10
            with timer:
                hands.time += 100
            hands.time += 1_000
        hands.time += 10_000
    with timer:
        hands.time += 5
    assert seconds == [100, 1_110, 11_111, 5]


def seconds_into(timer: Any, found: list[int]) -> Any:
    """A site that notes nanoseconds in a list instead of recording them."""

    class Noting:
        def write(self, value: float) -> None:
            found.append(round(value * 1e9))

        def failed(self, value: float, error: BaseException) -> None:
            found.append(-round(value * 1e9))

    return Noting()


async def test_tasks_that_overlap_on_one_object_each_get_their_own_time(hands: Hands) -> None:
    """First in, first out: what a stack of starts would swap."""
    timer = measure("tasks")
    found: list[int] = []
    timer._site = seconds_into(timer, found)
    gates = [asyncio.Event() for _ in range(3)]

    async def work(gate: asyncio.Event) -> None:
        async with timer:
            await gate.wait()

    tasks = []
    for gate in gates:
        tasks.append(asyncio.create_task(work(gate)))
        await asyncio.sleep(0)
        hands.time += 100
    for gate, task in zip(gates, tasks, strict=True):
        gate.set()
        await task
        hands.time += 1
    assert found == [300, 201, 102]


async def test_a_task_begun_inside_a_block_does_not_end_it(hands: Hands) -> None:
    timer = measure("parents")
    found: list[int] = []
    timer._site = seconds_into(timer, found)
    go = asyncio.Event()

    async def child() -> None:
        await go.wait()
        with timer:
            hands.time += 1

    with timer:
        with timer:
            hands.time += 10
            task = asyncio.create_task(child())
            await asyncio.sleep(0)
        hands.time += 100
    go.set()
    await task
    with timer:
        hands.time += 1_000
    assert found == [10, 110, 1, 1_000]


async def test_a_child_that_outlives_the_block_it_saw_begin_finds_its_own(hands: Hands) -> None:
    """The context that it inherited still holds a block of the same object, which has ended."""
    timer = measure("heirs")
    found: list[int] = []
    timer._site = seconds_into(timer, found)
    inside, go = asyncio.Event(), asyncio.Event()

    async def child() -> None:
        await go.wait()
        with timer:  # the only one now, in the slot, while an ended block lies in the inherited context
            inside.set()
            hands.time += 7
            with timer:
                hands.time += 20

    with timer, timer:
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
    go.set()
    await task
    assert inside.is_set()
    assert found == [0, 0, 20, 27]


async def test_an_ended_block_in_an_inherited_context_is_not_taken_for_ones_own(hands: Hands) -> None:
    timer = measure("stale")
    found: list[int] = []
    timer._site = seconds_into(timer, found)
    begin, end = asyncio.Event(), asyncio.Event()

    async def child() -> None:
        await begin.wait()
        with timer:
            await end.wait()

    with timer, timer:
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
    hands.time += 1_000
    begin.set()
    await asyncio.sleep(0)
    with timer:
        hands.time += 30
        end.set()
        await task
        hands.time += 5
    assert found == [0, 0, 30, 35]


def test_threads_share_one_object(telemetry: Telemetry) -> None:
    timer = measure("threads")
    ready = threading.Barrier(8)

    def work(_number: int) -> None:
        ready.wait()
        for _ in range(200):
            with timer, timer:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert counted(telemetry, "threads") == 8 * 200 * 2
    assert (timer._others, timer._started) == (0, 0)


def test_a_block_that_ends_in_another_context_is_lost_counted_and_hurts_no_other(
    telemetry: Telemetry,
) -> None:
    timer = measure("elsewhere")
    with timer:
        contextvars.Context().run(timer.__enter__)
        contextvars.Context().run(timer.__exit__, None, None, None)
    with timer:
        pass
    assert counted(telemetry, "elsewhere") == 2
    lost = {"ticktrace__buffer__name": "measure", "ticktrace__drop__reason": "left_elsewhere"}
    assert Captured(telemetry).value("ticktrace.dropped", **lost) == 1


def test_leaving_what_was_not_entered_only_counts(telemetry: Telemetry) -> None:
    measure("never").__exit__(None, None, None)
    assert counted(telemetry, "never") == 0


# --- awaitables ------------------------------------------------------------------------------------------------------


async def test_an_awaitable_is_timed_and_its_result_handed_on(telemetry: Telemetry) -> None:
    async def fetch() -> str:
        await asyncio.sleep(0)
        return "price"

    assert await measure_async("fetch", fetch(), venue="binance") == "price"
    task = asyncio.create_task(fetch())
    assert await measure_async("fetch", task) == "price"
    assert counted(telemetry, "fetch") == 2
    assert counted(telemetry, "fetch", trading__venue="binance") == 1


async def test_an_awaitable_that_raises_is_an_error(telemetry: Telemetry) -> None:
    async def fetch() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await measure_async("fetch", fetch())
    assert counted(telemetry, "fetch", error__type="TimeoutError") == 1


async def test_without_an_awaitable_it_decorates(telemetry: Telemetry) -> None:
    @measure_async("on_candle")
    async def on_candle(price: float) -> float:
        return price * 2

    assert await on_candle(2.0) == 4.0
    assert counted(telemetry, "on_candle") == 1


# --- without telemetry -----------------------------------------------------------------------------------------------


def test_what_is_made_before_telemetry_follows_it(start: Callable[..., Telemetry]) -> None:
    timer = measure("early", symbol="BTC/USDT")

    @measure("early.function")
    def work() -> int:
        return 1

    with timer:
        work()
    telemetry = start(mode="paper")
    with timer:
        work()
    assert counted(telemetry, "early", trading__symbol="BTC/USDT", trading__engine__mode="paper") == 1
    assert counted(telemetry, "early.function") == 1


def test_after_a_shutdown_nothing_happens_and_a_second_start_is_followed(
    start: Callable[..., Telemetry],
) -> None:
    timer = measure("twice")
    first = start("first")
    with timer:
        pass
    first.shutdown()
    with timer, measure("after"):
        pass
    second = start("second")
    with timer:
        pass
    assert counted(second, "twice") == 1
    assert counted(second, "after") == 0


def test_telemetry_that_is_off_records_nothing(start: Callable[..., Telemetry]) -> None:
    telemetry = start(enabled=False)
    with measure("off"):
        pass
    assert telemetry.stats("off").count == 0


def test_a_block_that_is_open_while_telemetry_starts_is_recorded(start: Callable[..., Telemetry]) -> None:
    with measure("open"):
        telemetry = start()
    assert counted(telemetry, "open") == 1


def test_words_of_any_type_do_no_harm(telemetry: Telemetry) -> None:
    with measure(17, symbol=["a", "list"]):  # type: ignore[arg-type]
        pass
    assert counted(telemetry, "17", trading__symbol="['a', 'list']") == 1
