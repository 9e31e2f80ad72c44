"""The event bus on threads."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from support.bus_events import Order, StopOrder, Tick
from support.programs import run_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.captured import Captured
    from ticktrace import Telemetry

TICK = Tick("BTC/USDT", 42_000.0)
SECONDS = 10.0  # until a test gives up waiting


def test_handlers_get_what_they_subscribed_to(telemetry: Telemetry) -> None:
    seen: list[tuple[str, Any]] = []
    with telemetry.trading.threaded_event_bus() as bus:
        bus.subscribe(Order, lambda event: seen.append(("order", event)))
        bus.subscribe("bars.*", lambda event: seen.append(("bars", event)))

        @bus.on(Tick | StopOrder)
        async def both(event: Any) -> None:
            await asyncio.sleep(0)
            seen.append(("both", event))

        stop = StopOrder("BTC")
        assert bus.publish(TICK)
        assert bus.publish(stop)
        assert bus.publish({"close": 1}, "bars.ETH")
    assert seen == [("both", TICK), ("order", stop), ("both", stop), ("bars", {"close": 1})]


def test_four_threads_publish_and_four_handle(telemetry: Telemetry, captured: Captured) -> None:
    tracer = telemetry.tracer_provider.get_tracer("bot")
    seen: Counter[str] = Counter()
    wrong = []
    lock = threading.Lock()

    def on_tick(tick: Tick) -> None:
        inside = trace.get_current_span().get_span_context().span_id
        with lock:
            seen[tick.symbol] += 1
            if inside != published[tick.symbol]:
                wrong.append(tick)

    published: dict[str, int] = {}

    def feed(number: int) -> None:
        for step in range(100):
            symbol = f"{number}.{step}"
            with tracer.start_as_current_span("feed") as span:
                published[symbol] = span.get_span_context().span_id
                assert bus.publish(Tick(symbol, step))

    with telemetry.trading.threaded_event_bus("market", workers=4, capacity=16) as bus:
        bus.subscribe(Tick, on_tick, name="on_tick")
        threads = [threading.Thread(target=feed, args=(number,), daemon=True) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 400
    assert set(seen.values()) == {1}
    assert wrong == [], "each handler worked under the span of its own publisher"
    assert captured.count("trading.event_bus.publish.duration", trading__event__type="Tick") == 400
    assert captured.count("trading.event_bus.queue.wait", trading__queue__name="market") == 400
    assert captured.count("trading.event_bus.handle.duration", trading__event__handler__name="on_tick") == 400
    assert captured.value("trading.event_bus.queue.depth", trading__queue__name="market") == 0
    assert captured.points("trading.event_bus.dropped") == []
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("overflow", ["wait", "drop_newest", "drop_oldest"])
def test_every_event_is_handled_or_counted_as_dropped(
    telemetry: Telemetry, captured: Captured, overflow: Any
) -> None:
    handled: Counter[int] = Counter()
    lock = threading.Lock()
    taken: list[bool] = []

    def on_tick(tick: Tick) -> None:
        with lock:
            handled[int(tick.price)] += 1

    def feed(number: int) -> None:
        taken.extend(bus.publish(Tick("BTC", number * 500 + step)) for step in range(500))

    bus = telemetry.trading.threaded_event_bus(capacity=4, workers=4, overflow=overflow)
    bus.subscribe(Tick, on_tick)
    bus.start()
    threads = [threading.Thread(target=feed, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bus.close(SECONDS)
    dropped = captured.value("trading.event_bus.dropped")
    assert set(handled.values()) == {1}
    assert len(handled) + dropped == 2_000
    assert captured.count("trading.event_bus.publish.duration") == 2_000
    assert captured.count("trading.event_bus.queue.wait") == len(handled)
    if overflow == "wait":
        assert dropped == 0
    if overflow != "drop_oldest":
        assert sum(taken) == len(handled)


def test_events_of_one_queue_keep_their_order(telemetry: Telemetry) -> None:
    seen: list[float] = []
    with telemetry.trading.threaded_event_bus() as bus:
        bus.subscribe(Tick, lambda tick: seen.append(tick.price))
        for price in range(200):
            bus.publish(Tick("BTC", price))
    assert seen == list(range(200))


def test_a_publisher_waits_for_room_as_long_as_it_was_told_to(
    telemetry: Telemetry, captured: Captured
) -> None:
    gate, working = threading.Event(), threading.Event()

    def hold(_: Tick) -> None:
        working.set()
        gate.wait(SECONDS)

    with telemetry.trading.threaded_event_bus(capacity=1) as bus:
        bus.subscribe(Tick, hold)
        bus.publish(TICK)
        assert working.wait(SECONDS)
        assert bus.publish(TICK)  # waits in the queue
        assert not bus.publish_nowait(TICK)
        assert not bus.publish(TICK, timeout=0.01)
        taken: list[bool] = []
        patient = threading.Thread(target=lambda: taken.append(bus.publish(TICK)), daemon=True)
        patient.start()
        gate.set()
        patient.join(SECONDS)
    assert taken == [True]
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="queue_full") == 2
    assert captured.count("trading.event_bus.handle.duration") == 3


@pytest.mark.parametrize(
    ("overflow", "kept", "reason"),
    [
        ("drop_newest", [0, 1], "queue_full"),
        ("drop_oldest", [2, 3], "displaced"),
        ("wait", [0, 1], "queue_full"),
    ],
)
def test_a_full_queue_drops_what_it_was_told_to(
    telemetry: Telemetry, captured: Captured, overflow: Any, kept: list[float], reason: str
) -> None:
    seen: list[float] = []
    bus = telemetry.trading.threaded_event_bus("market", capacity=2, overflow=overflow)
    bus.subscribe(Tick, lambda tick: seen.append(tick.price))
    for price in range(4):
        bus.publish(Tick("BTC", price))  # before it has started, nobody waits
    with bus:
        pass
    assert seen == kept
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason=reason) == 2


def test_a_handler_never_waits_for_itself(telemetry: Telemetry, captured: Captured) -> None:
    seen: Counter[str] = Counter()
    with telemetry.trading.threaded_event_bus(capacity=1) as bus:

        def ping(event: Tick) -> None:
            seen["ping"] += 1
            if event.price < 3:
                for _ in range(3):
                    bus.publish(Tick("ping", event.price + 1), "ping")
                    bus.publish(Tick("pong", event.price + 1), "pong")

        def pong(event: Tick) -> None:
            seen["pong"] += 1
            for _ in range(3):
                bus.publish(Tick("ping", event.price + 1), "ping")

        bus.subscribe("ping", ping, queue="a")
        bus.subscribe("pong", pong, queue="b")
        bus.publish(Tick("ping", 0), "ping")
        assert bus.close(SECONDS)
    assert seen["ping"] > 1
    assert seen["pong"] > 0
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="queue_full") > 0


def test_a_handler_that_fails_is_told_of_and_the_others_go_on(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Tick] = []

    def leave(_: Tick) -> None:
        raise SystemExit(1)

    async def broken(_: Tick) -> None:
        raise KeyError("price")

    with telemetry.trading.threaded_event_bus() as bus:
        bus.subscribe(Tick, leave, name="leave")
        bus.subscribe(Tick, broken, name="broken")
        bus.subscribe(Tick, seen.append)
        bus.publish(TICK)
        bus.publish(TICK)
    assert seen == [TICK] * 2
    for name, kind in (("leave", "SystemExit"), ("broken", "KeyError")):
        labels = {"trading__event__handler__name": name, "error__type": kind}
        assert captured.count("trading.event_bus.handle.duration", **labels) == 2
        assert f"handler {name} failed for one Tick" in caplog.text


def test_a_slow_handler_is_counted_and_named(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.threaded_event_bus(slow_after=1e-9) as bus:
        bus.subscribe(Tick, lambda _: sum(range(100)), name="slow")
        bus.publish(TICK)
    assert captured.value("trading.event_bus.handlers.slow", trading__event__handler__name="slow") == 1
    (event,) = captured.span("handle Tick").events
    assert event.name == "trading.event.handler.slow"


@pytest.mark.parametrize("relation", ["parent", "link"])
def test_each_call_may_be_a_span(telemetry: Telemetry, captured: Captured, relation: Any) -> None:
    tracer = telemetry.tracer_provider.get_tracer("bot")
    with telemetry.trading.threaded_event_bus(spans=True, relation=relation) as bus:

        @bus.on(Tick)
        async def on_tick(_: Tick) -> None:
            await asyncio.sleep(0)
            tracer.start_span("book").end()

        with tracer.start_as_current_span("feed"):
            bus.publish(TICK)
    feed, handle, book = captured.span("feed"), captured.span("handle Tick"), captured.span("book")
    assert book.parent is not None
    assert book.parent.span_id == handle.context.span_id
    if relation == "parent":
        assert handle.parent is not None
        assert handle.parent.span_id == feed.context.span_id
    else:
        assert handle.parent is None
        assert [link.context.span_id for link in handle.links] == [feed.context.span_id]


# --- the end -----------------------------------------------------------------------------------------------------------


def test_closing_handles_what_waits_and_what_that_publishes(telemetry: Telemetry) -> None:
    filled: list[Order] = []
    bus = telemetry.trading.threaded_event_bus(capacity=2)
    bus.subscribe(Tick, lambda tick: bus.publish(Order(tick.symbol)))
    bus.subscribe(Order, filled.append, queue="orders")
    bus.start()
    for number in range(20):
        bus.publish(Tick(f"COIN{number}", 1))
    assert bus.close(SECONDS)
    assert len(filled) == 20
    assert bus.close(SECONDS), "a second time it says the same"
    assert not bus.publish(TICK)


def test_a_hanging_handler_does_not_hold_up_the_end(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    gate, working = threading.Event(), threading.Event()

    def hang(_: Tick) -> None:
        working.set()
        gate.wait(SECONDS)

    bus = telemetry.trading.threaded_event_bus()
    bus.subscribe(Tick, hang, name="hang")
    bus.subscribe(Tick, lambda _: None, name="after it")
    bus.start()
    for _ in range(5):
        bus.publish(TICK)
    assert working.wait(SECONDS)
    ((name, _),) = bus.busy
    assert name == "hang"
    (worker,) = bus._workers
    assert not bus.close(timeout=0.05)
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="shutdown") == 4
    assert "was closed while these handlers were at work: hang" in caplog.text
    assert worker.daemon
    gate.set()
    worker.join(SECONDS)
    assert not worker.is_alive()
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="shutdown") == 5
    handled = captured.points("trading.event_bus.handle.duration")
    assert [point.attributes["trading.event.handler.name"] for point in handled] == ["hang"]


def test_a_hanging_coroutine_is_cancelled_at_the_end(telemetry: Telemetry) -> None:
    working, cancelled = threading.Event(), []

    async def hang(_: Tick) -> None:
        working.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    bus = telemetry.trading.threaded_event_bus()
    bus.subscribe(Tick, hang)
    bus.start()
    bus.publish(TICK)
    assert working.wait(SECONDS)
    (worker,) = bus._workers
    assert not bus.close(timeout=0.5)
    worker.join(SECONDS)
    assert cancelled == [True]


def test_publishers_that_wait_for_room_are_let_go_at_the_end(
    telemetry: Telemetry, captured: Captured
) -> None:
    gate, working = threading.Event(), threading.Event()

    def hang(_: Tick) -> None:
        working.set()
        gate.wait(SECONDS)

    bus = telemetry.trading.threaded_event_bus(capacity=1)
    bus.subscribe(Tick, hang)
    bus.start()
    bus.publish(TICK)
    assert working.wait(SECONDS)
    bus.publish(TICK)
    taken: list[bool] = []
    publishers = [
        threading.Thread(target=lambda: taken.append(bus.publish(TICK)), daemon=True) for _ in range(3)
    ]
    for publisher in publishers:
        publisher.start()
    assert not bus.close(timeout=0.2)
    for publisher in publishers:
        publisher.join(SECONDS)
    gate.set()
    assert taken == [False] * 3
    dropped = captured.value("trading.event_bus.dropped")
    assert dropped == 4


def test_a_handler_may_close_the_bus(telemetry: Telemetry) -> None:
    seen, answers = [], []
    bus = telemetry.trading.threaded_event_bus()

    def on_tick(tick: Tick) -> None:
        seen.append(tick.price)
        if tick.price == 1:
            answers.append(bus.close(SECONDS))

    bus.subscribe(Tick, on_tick)
    for price in range(4):
        bus.publish(Tick("BTC", price))
    bus.start()
    assert bus.close(SECONDS)
    assert answers == [False]
    assert seen == [0, 1, 2, 3]


def test_a_bus_may_start_again(telemetry: Telemetry) -> None:
    seen: list[Tick] = []
    bus = telemetry.trading.threaded_event_bus()
    bus.subscribe(Tick, seen.append)
    for _ in range(2):
        with bus:
            assert bus.publish(TICK)
    assert len(seen) == 2


def test_subscribing_while_it_runs_employs_a_thread_for_a_new_queue(telemetry: Telemetry) -> None:
    seen: list[str] = []
    with telemetry.trading.threaded_event_bus("market", workers=2) as bus:
        bus.subscribe(Tick, lambda _: seen.append(threading.current_thread().name))
        bus.subscribe(Tick, lambda _: seen.append(threading.current_thread().name), queue="orders")
        bus.publish(TICK)
        assert len(bus._workers) == 4
    assert {name.rsplit(".", 1)[0] for name in seen} == {"market.market", "market.orders"}


def test_the_bus_works_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    seen: list[Tick] = []
    with start(enabled=False).trading.threaded_event_bus(capacity=1, spans=True, slow_after=1e-9) as bus:
        bus.subscribe(Tick, seen.append)
        for _ in range(20):
            assert bus.publish(TICK)
        assert not bus.publish("nobody wants this")
    assert seen == [TICK] * 20


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_a_bus_of_its_own(engine: str) -> None:
    # CPython 3.12 warns of forking with threads, which is what is tested here.
    done = run_program("forking_bus.py", TICKTRACE_ENGINE=engine, PYTHONWARNINGS="default")
    assert done.stdout == "0 True\n"
