"""The event bus on asyncio."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from support.bus_events import Order, StopOrder, Tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.captured import Captured
    from ticktrace import Telemetry

TICK = Tick("BTC/USDT", 42_000.0)


async def test_handlers_get_what_they_subscribed_to(telemetry: Telemetry) -> None:
    seen: list[tuple[str, Any]] = []
    async with telemetry.trading.event_bus() as bus:

        @bus.on(Order)
        def order(event: Order) -> None:
            seen.append(("order", event))

        @bus.on(Tick | StopOrder)
        async def both(event: Any) -> None:
            await asyncio.sleep(0)
            seen.append(("both", event))

        bus.subscribe("bars.*", lambda event: seen.append(("bars", event)))
        bus.subscribe("bars.BTC", lambda event: seen.append(("btc", event)))
        stop = StopOrder("BTC")
        assert await bus.publish(TICK)
        assert await bus.publish(stop)
        assert await bus.publish({"close": 1}, "bars.ETH")
        assert await bus.publish({"close": 2}, topic="bars.BTC")
    assert seen == [
        ("both", TICK),
        ("order", stop),
        ("both", stop),
        ("bars", {"close": 1}),
        ("bars", {"close": 2}),
        ("btc", {"close": 2}),
    ]
    assert order(stop) is None, "a decorated handler stays what it is"


async def test_what_is_measured(telemetry: Telemetry, captured: Captured) -> None:
    async def on_tick(_: Tick) -> None:
        await asyncio.sleep(0)

    async with telemetry.trading.event_bus("market", capacity=10) as bus:
        bus.subscribe(Tick, on_tick, name="on_tick")
        for _ in range(3):
            await bus.publish(TICK)
    assert captured.count("trading.event_bus.publish.duration", trading__event__type="Tick") == 3
    labels = {"trading__event__type": "Tick", "trading__queue__name": "market"}
    assert captured.count("trading.event_bus.queue.wait", **labels) == 3
    handler = {"trading__event__type": "Tick", "trading__event__handler__name": "on_tick"}
    assert captured.count("trading.event_bus.handle.duration", **handler) == 3
    assert captured.value("trading.event_bus.queue.depth", trading__queue__name="market") == 0
    assert captured.points("trading.event_bus.dropped") == []
    assert captured.points("trading.event_bus.handlers.slow") == []
    assert captured.spans == ()


async def test_the_wait_is_that_from_publishing_to_handling(telemetry: Telemetry, captured: Captured) -> None:
    bus = telemetry.trading.event_bus()
    bus.subscribe(Tick, lambda _: None)
    await bus.publish(TICK)  # before the bus works: it waits
    telemetry_recorder = bus._recorder
    now = telemetry_recorder.now()
    bus._meter.now = lambda: now + 5_000_000_000
    async with bus:
        pass
    assert captured.sum("trading.event_bus.queue.wait") >= 5


async def test_the_depth_is_what_waits_when_metrics_are_read(
    telemetry: Telemetry, captured: Captured
) -> None:
    bus = telemetry.trading.event_bus("market")
    bus.subscribe(Tick, lambda _: None)
    bus.subscribe(Order, lambda _: None, queue="orders")
    for _ in range(4):
        bus.publish_nowait(TICK)
    bus.publish_nowait(Order("BTC"))
    assert captured.value("trading.event_bus.queue.depth", trading__queue__name="market") == 4
    assert captured.value("trading.event_bus.queue.depth", trading__queue__name="orders") == 1
    assert bus.depth == 5
    async with bus:
        pass
    assert captured.value("trading.event_bus.queue.depth") == 0


async def test_spans_in_handlers_are_children_of_the_publishers(
    telemetry: Telemetry, captured: Captured
) -> None:
    market = telemetry.trading.market(venue="x", symbol="BTC", timeframe="1m")
    tracer = telemetry.tracer_provider.get_tracer("bot")

    async def on_tick(_: Tick) -> None:
        with tracer.start_as_current_span("book"):
            await asyncio.sleep(0)

    async with telemetry.trading.event_bus() as bus:
        bus.subscribe(Tick, on_tick)
        with market.candle(close_time=1_700_000_040):
            await bus.publish(TICK)
        assert not trace.get_current_span().get_span_context().is_valid
    candle, book = captured.span("candle 1m"), captured.span("book")
    assert book.parent is not None
    assert book.parent.span_id == candle.context.span_id
    assert book.context.trace_id == candle.context.trace_id


@pytest.mark.parametrize("relation", ["parent", "link"])
async def test_each_call_may_be_a_span(telemetry: Telemetry, captured: Captured, relation: Any) -> None:
    tracer = telemetry.tracer_provider.get_tracer("bot")

    def on_tick(_: Tick) -> None:
        tracer.start_span("book").end()

    async with telemetry.trading.event_bus("market", spans=True, relation=relation) as bus:
        bus.subscribe(Tick, on_tick, name="on_tick")
        with tracer.start_as_current_span("feed"):
            await bus.publish(TICK)
    feed, handle, book = captured.span("feed"), captured.span("handle Tick"), captured.span("book")
    assert handle.kind is trace.SpanKind.CONSUMER
    assert dict(handle.attributes or {}) == {
        "trading.engine.mode": "live",
        "trading.event.type": "Tick",
        "trading.event.handler.name": "on_tick",
        "trading.queue.name": "market",
    }
    assert book.parent is not None
    assert book.parent.span_id == handle.context.span_id
    if relation == "parent":
        assert handle.parent is not None
        assert handle.parent.span_id == feed.context.span_id
        assert not handle.links
    else:
        assert handle.parent is None
        assert handle.context.trace_id != feed.context.trace_id
        assert [link.context.span_id for link in handle.links] == [feed.context.span_id]


async def test_a_handler_that_fails_is_told_of_and_the_others_go_on(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Tick] = []

    def broken(_: Tick) -> None:
        raise KeyError("price")

    async with telemetry.trading.event_bus() as bus:
        bus.subscribe(Tick, broken, name="broken")
        bus.subscribe(Tick, seen.append)
        for _ in range(3):
            await bus.publish(TICK)
    assert seen == [TICK] * 3
    failures = {"trading__event__handler__name": "broken", "error__type": "KeyError"}
    assert captured.count("trading.event_bus.handle.duration", **failures) == 3
    assert len([record for record in caplog.records if "handler broken failed" in record.getMessage()]) == 1
    assert "in broken\n    raise KeyError" in caplog.text
    assert len(captured.named("handle Tick")) == 3, "what fails is a span, even if spans were not asked for"
    span = captured.named("handle Tick")[0]
    assert span.status.status_code is trace.StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


async def test_failures_can_be_handed_to_the_bot(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, Any, str]] = []

    def on_error(error: Exception, event: Any, name: str) -> None:
        told.append((repr(error), event, name))

    async def broken(_: Tick) -> None:
        raise ValueError(1)

    async with telemetry.trading.event_bus(on_error=on_error) as bus:
        bus.subscribe(Tick, broken, name="broken")
        await bus.publish(TICK)
    assert told == [("ValueError(1)", TICK, "broken")]
    assert "failed" not in caplog.text


async def test_a_slow_handler_is_counted_and_named(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = telemetry.tracer_provider.get_tracer("bot")
    async with telemetry.trading.event_bus(slow_after=1e-9) as bus:
        bus.subscribe(Tick, lambda _: sum(range(100)), name="slow")
        bus.subscribe(Tick, lambda _: None, name="patient", slow_after=3600)
        bus.subscribe(Tick, lambda _: None, name="whatever", slow_after=None)
        with tracer.start_as_current_span("feed"):
            await bus.publish(TICK)
    (point,) = captured.points("trading.event_bus.handlers.slow")
    assert point.value == 1
    assert point.attributes["trading.event.handler.name"] == "slow"
    span = captured.span("handle Tick")
    assert span.parent is not None
    assert span.parent.span_id == captured.span("feed").context.span_id
    (event,) = span.events
    assert event.name == "trading.event.handler.slow"
    attributes: dict[str, Any] = dict(event.attributes or {})
    assert attributes["trading.event.handler.name"] == "slow"
    assert attributes["trading.elapsed"] > attributes["trading.elapsed_limit"] == 1e-9
    assert "handler slow took" in caplog.text


async def test_an_event_that_nobody_wants_is_counted(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    async with telemetry.trading.event_bus() as bus:
        assert not await bus.publish(TICK)
        assert not bus.publish_nowait({}, "bras.BTC")
    reason = {"trading__event__drop__reason": "no_handler"}
    assert captured.value("trading.event_bus.dropped", trading__event__type="Tick", **reason) == 1
    assert captured.value("trading.event_bus.dropped", trading__event__type="other", **reason) == 1
    assert "event Tick was not handled: no_handler" in caplog.text
    assert "event dict of topic 'bras.BTC' was not handled: no_handler" in caplog.text


@pytest.mark.parametrize(
    ("overflow", "kept", "reason"),
    [("drop_newest", [0, 1], "queue_full"), ("drop_oldest", [2, 3], "displaced")],
)
async def test_a_full_queue_drops_what_it_was_told_to(
    telemetry: Telemetry, captured: Captured, overflow: Any, kept: list[float], reason: str
) -> None:
    seen: list[float] = []
    bus = telemetry.trading.event_bus("market", capacity=2, overflow=overflow)
    bus.subscribe(Tick, lambda tick: seen.append(tick.price))
    taken = [await bus.publish(Tick("BTC", price)) for price in range(4)]
    async with bus:
        pass
    assert seen == kept
    assert taken == ([True, True, False, False] if overflow == "drop_newest" else [True] * 4)
    dropped = {"trading__event__drop__reason": reason, "trading__queue__name": "market"}
    assert captured.value("trading.event_bus.dropped", **dropped) == 2


async def test_a_publisher_waits_for_room_and_the_time_counts(
    telemetry: Telemetry, captured: Captured
) -> None:
    gate, seen = asyncio.Event(), []

    async def on_tick(tick: Tick) -> None:
        await gate.wait()
        seen.append(tick.price)

    async with telemetry.trading.event_bus(capacity=1) as bus:
        bus.subscribe(Tick, on_tick)
        publishers = [asyncio.create_task(bus.publish(Tick("BTC", price))) for price in range(5)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert sum(publisher.done() for publisher in publishers) == 2  # one is handled, one waits
        assert not bus.publish_nowait(TICK), "it does not wait"
        gate.set()
        assert all(await asyncio.gather(*publishers))
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert captured.count("trading.event_bus.publish.duration") == 6


async def test_a_handler_never_waits_for_itself(telemetry: Telemetry, captured: Captured) -> None:
    """One that publishes into its own full queue, or two that publish into each other's, would wait for ever."""
    seen: list[str] = []
    async with telemetry.trading.event_bus(capacity=1) as bus:

        async def ping(event: Tick) -> None:
            seen.append("ping")
            if event.price < 3:
                for _ in range(3):
                    await bus.publish(Tick("ping", event.price + 1), "ping")
                    await bus.publish(Tick("pong", event.price + 1), "pong")

        async def pong(event: Tick) -> None:
            seen.append("pong")
            for _ in range(3):
                await bus.publish(Tick("ping", event.price + 1), "ping")

        bus.subscribe("ping", ping, queue="a")
        bus.subscribe("pong", pong, queue="b")
        await bus.publish(Tick("ping", 0), "ping")
    assert {"ping", "pong"} <= set(seen)
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="queue_full") > 0


async def test_handlers_of_another_queue_do_not_wait_for_a_hanging_one(telemetry: Telemetry) -> None:
    gate, seen = asyncio.Event(), asyncio.Event()

    async def hang(_: Tick) -> None:
        await gate.wait()

    async with telemetry.trading.event_bus() as bus:
        bus.subscribe(Tick, hang, name="hang")
        bus.subscribe(Tick, lambda _: seen.set(), queue="fast")
        await bus.publish(TICK)
        await seen.wait()
        ((name, seconds),) = bus.busy
        assert name == "hang"
        assert seconds >= 0
        gate.set()
    assert bus.busy == ()


async def test_any_thread_may_publish(telemetry: Telemetry, captured: Captured) -> None:
    tracer = telemetry.tracer_provider.get_tracer("bot")
    threads_of_handlers = set()
    done = asyncio.Event()
    count = 0

    def on_tick(_: Tick) -> None:
        nonlocal count
        threads_of_handlers.add(threading.get_ident())
        trace.get_current_span().set_attribute("seen", True)
        count += 1
        if count == 400:
            done.set()

    def feed(bus: Any) -> None:
        for number in range(100):
            with tracer.start_as_current_span("feed") as span:
                assert bus.publish_nowait(Tick("BTC", number))
                spans.append(span)

    spans: list[Any] = []
    async with telemetry.trading.event_bus(spans=True) as bus:
        bus.subscribe(Tick, on_tick)
        threads = [threading.Thread(target=feed, args=(bus,), daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        await done.wait()
        for thread in threads:
            thread.join()
    assert threads_of_handlers == {threading.get_ident()}
    parents = {span.parent.span_id for span in captured.named("handle Tick") if span.parent is not None}
    assert parents == {span.get_span_context().span_id for span in spans}
    assert captured.count("trading.event_bus.queue.wait") == 400


async def test_events_of_one_queue_keep_their_order(telemetry: Telemetry) -> None:
    seen: list[float] = []

    async def on_tick(tick: Tick) -> None:
        await asyncio.sleep(0)
        seen.append(tick.price)

    async with telemetry.trading.event_bus() as bus:
        bus.subscribe(Tick, on_tick)
        for price in range(50):
            await bus.publish(Tick("BTC", price))
    assert seen == list(range(50))


async def test_workers_handle_side_by_side(telemetry: Telemetry) -> None:
    together = asyncio.Barrier(3)

    async def meet(_: Tick) -> None:
        await together.wait()

    async with telemetry.trading.event_bus(workers=3) as bus:
        bus.subscribe(Tick, meet)
        for _ in range(3):
            await bus.publish(TICK)
        assert await bus.close()


async def test_a_cancelled_subscription_gets_nothing_more(telemetry: Telemetry, captured: Captured) -> None:
    seen: list[Tick] = []
    bus = telemetry.trading.event_bus()
    subscription = bus.subscribe(Tick, seen.append)
    await bus.publish(TICK)
    subscription.cancel()
    assert not await bus.publish(TICK)
    bus.subscribe(Tick, seen.append)
    assert bus.unsubscribe(Tick, seen.append)
    assert not bus.unsubscribe(Tick, seen.append)
    async with bus:
        pass
    assert seen == []
    assert captured.count("trading.event_bus.handle.duration") == 0


async def test_ten_thousand_symbols_make_bounded_series(telemetry: Telemetry, captured: Captured) -> None:
    seen = 0

    def on_bar(_: dict[str, float]) -> None:
        nonlocal seen
        seen += 1

    async with telemetry.trading.event_bus() as bus:
        bus.subscribe("bars.*", on_bar)
        for number in range(10_000):
            await bus.publish({"close": 1.0}, f"bars.COIN{number}/USDT")
            bus.publish_nowait({"close": 1.0}, f"nobody.COIN{number}/USDT")
    assert seen == 10_000
    assert captured.count("trading.event_bus.handle.duration", trading__event__type="bars.*") == 10_000
    for name in ("publish.duration", "queue.wait", "handle.duration", "dropped"):
        assert len(captured.points(f"trading.event_bus.{name}")) <= 2
    assert len(bus._routes._known) <= 1_000


async def test_ten_thousand_classes_and_handlers_make_bounded_series(
    telemetry: Telemetry, captured: Captured
) -> None:
    bus = telemetry.trading.event_bus(capacity=1_000)
    async with bus:
        for number in range(1_000):
            kind = type(f"Event{number}", (), {})
            subscription = bus.subscribe(
                kind, lambda _: None, name=f"handler-{number}", queue=f"queue-{number % 3}"
            )
            await bus.publish(kind())
            await asyncio.sleep(0)
            if number % 2:
                subscription.cancel()
    for name in ("publish.duration", "queue.wait"):
        assert len(captured.points(f"trading.event_bus.{name}")) <= 604
    assert len(captured.points("trading.event_bus.publish.duration")) == 201


# --- the end -----------------------------------------------------------------------------------------------------------


async def test_closing_handles_what_waits(telemetry: Telemetry) -> None:
    seen = []

    async def on_tick(tick: Tick) -> None:
        await asyncio.sleep(0)
        seen.append(tick)

    bus = telemetry.trading.event_bus()
    bus.subscribe(Tick, on_tick)
    bus.start()
    for _ in range(20):
        await bus.publish(TICK)
    assert await bus.close()
    assert len(seen) == 20
    assert await bus.close(), "a second time it says the same"


async def test_a_closed_bus_takes_nothing(telemetry: Telemetry, captured: Captured) -> None:
    bus = telemetry.trading.event_bus()
    bus.subscribe(Tick, lambda _: None)
    async with bus:
        pass
    assert not await bus.publish(TICK)
    assert not bus.publish_nowait(TICK)
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="closed") == 2


async def test_a_hanging_handler_does_not_hold_up_the_end(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    cancelled = []

    async def hang(_: Tick) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    bus = telemetry.trading.event_bus()
    bus.subscribe(Tick, hang, name="hang")
    bus.subscribe(Tick, lambda _: None, name="after it")
    bus.start()
    for _ in range(5):
        await bus.publish(TICK)
    await asyncio.sleep(0)
    assert not await bus.close(timeout=0.05)
    assert cancelled == [True]
    # Four wait, and of the fifth one handler has not been called.
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="shutdown") == 5
    assert "was closed while these handlers were at work: hang" in caplog.text
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_a_handler_that_refuses_to_be_cancelled_is_left_behind(telemetry: Telemetry) -> None:
    gate, stubborn = asyncio.Event(), []

    async def refuse(_: Tick) -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                stubborn.append(True)

    bus = telemetry.trading.event_bus()
    bus.subscribe(Tick, refuse)
    bus.start()
    await bus.publish(TICK)
    await asyncio.sleep(0)
    assert not await bus.close(timeout=0.05)
    assert stubborn
    gate.set()
    for _ in range(10):
        await asyncio.sleep(0)


async def test_publishers_that_wait_for_room_are_let_go_at_the_end(
    telemetry: Telemetry, captured: Captured
) -> None:
    async def hang(_: Tick) -> None:
        await asyncio.Event().wait()

    bus = telemetry.trading.event_bus(capacity=1)
    bus.subscribe(Tick, hang)
    bus.start()
    publishers = [asyncio.create_task(bus.publish(TICK)) for _ in range(6)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not await bus.close(timeout=0.05)
    taken = await asyncio.wait_for(asyncio.gather(*publishers), 5)
    assert taken.count(False) == 4, "one is handled, one waited in the queue"
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="shutdown") == 5


async def test_a_handler_may_close_the_bus(telemetry: Telemetry) -> None:
    seen, answers, answered = [], [], asyncio.Event()
    bus = telemetry.trading.event_bus()

    async def on_tick(tick: Tick) -> None:
        seen.append(tick.price)
        if tick.price == 1:
            answers.append(await bus.close())
            answered.set()

    bus.subscribe(Tick, on_tick)
    for price in range(4):
        await bus.publish(Tick("BTC", price))
    bus.start()
    await answered.wait()
    assert answers == [False]
    assert await bus.close()
    assert seen == [0, 1, 2, 3]


async def test_a_handler_that_is_cancelled_by_others_is_a_failure_and_no_end(telemetry: Telemetry) -> None:
    seen = []

    async def awaits_what_is_cancelled(tick: Tick) -> None:
        if tick.price == 0:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        seen.append(tick.price)

    async with telemetry.trading.event_bus() as bus:
        bus.subscribe(Tick, awaits_what_is_cancelled)
        await bus.publish(Tick("BTC", 0))
        await bus.publish(Tick("BTC", 1))
    assert seen == [1]


def test_a_bus_works_on_one_loop_after_the_other(telemetry: Telemetry) -> None:
    seen: list[Tick] = []
    bus = telemetry.trading.event_bus(capacity=1)
    bus.subscribe(Tick, seen.append)

    async def run() -> None:
        async with bus:
            await asyncio.gather(*(bus.publish(TICK) for _ in range(5)))

    asyncio.run(run())
    asyncio.run(run())
    assert len(seen) == 10


def test_a_loop_that_ends_without_the_bus_is_survived(telemetry: Telemetry, captured: Captured) -> None:
    bus = telemetry.trading.event_bus()
    bus.subscribe(Tick, lambda _: None)

    async def run() -> None:
        bus.start()

    asyncio.run(run())
    assert not bus.publish_nowait(TICK)
    bus.subscribe(Order, lambda _: None, queue="another")
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="closed") == 1


def test_a_bus_that_never_began_says_what_it_drops(telemetry: Telemetry, captured: Captured) -> None:
    bus = telemetry.trading.event_bus()
    bus.subscribe(Tick, lambda _: None)
    bus.publish_nowait(TICK)
    assert not asyncio.run(bus.close())
    assert captured.value("trading.event_bus.dropped", trading__event__drop__reason="shutdown") == 1


# --- wrong use, and no telemetry ---------------------------------------------------------------------------------------


def a_generator(_: Tick) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("key", "handler", "message"),
    [
        (3, print, "3 is not a class, a union of classes, or a topic"),
        (Tick, "on_tick", "the handler 'on_tick' cannot be called"),
        (Tick, a_generator, "is a generator"),
    ],
)
def test_what_cannot_be_subscribed_is_refused(
    telemetry: Telemetry, key: Any, handler: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        telemetry.trading.event_bus().subscribe(key, handler)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capacity": 0}, "capacity must be at least 1, not 0"),
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"overflow": "drop"}, "unknown overflow 'drop'; known: wait, drop_newest, drop_oldest"),
        ({"relation": "child"}, "unknown relation 'child'; known: parent, link"),
    ],
)
def test_wrong_settings_are_refused_at_once(
    telemetry: Telemetry, settings: dict[str, Any], message: str
) -> None:
    for make in (telemetry.trading.event_bus, telemetry.trading.threaded_event_bus):
        with pytest.raises(ValueError, match=message):
            make(**settings)


class Callable_:  # noqa: N801  the name that is told
    def method(self, event: Any) -> None: ...

    def __call__(self, event: Any) -> None: ...


async def test_handlers_are_called_by_their_names(telemetry: Telemetry, captured: Captured) -> None:
    def on_tick(_: Tick) -> None: ...

    handlers: list[Callable[[Any], object]] = [
        on_tick,
        Callable_().method,
        Callable_(),
        functools.partial(Callable_.method, Callable_()),
    ]
    async with telemetry.trading.event_bus() as bus:
        for handler in handlers:
            bus.subscribe(Tick, handler)
        await bus.publish(TICK)
    names = {
        point.attributes["trading.event.handler.name"]: point.count
        for point in captured.points("trading.event_bus.handle.duration")
    }
    assert names == {
        "Callable_.method": 2,
        "Callable_": 1,
        "test_handlers_are_called_by_their_names.on_tick": 1,
    }


async def test_the_bus_works_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    seen: list[Tick] = []
    failures: list[str] = []
    trading = start(enabled=False).trading
    async with trading.event_bus(
        capacity=1, spans=True, on_error=lambda *told: failures.append(told[2])
    ) as bus:
        bus.subscribe(Tick, seen.append)
        bus.subscribe(Order, lambda _: 1 / 0, name="broken")
        for _ in range(5):
            assert await bus.publish(TICK)
        assert await bus.publish(Order("BTC"))
        assert not await bus.publish("nobody wants this")
    assert seen == [TICK] * 5
    assert failures == ["broken"]


async def test_the_bus_works_on_when_telemetry_ends(telemetry: Telemetry) -> None:
    seen: list[Tick] = []
    async with telemetry.trading.event_bus(spans=True, slow_after=1e-9) as bus:
        bus.subscribe(Tick, seen.append)
        await bus.publish(TICK)
        telemetry.shutdown(1.0)
        assert await bus.publish(TICK)
    assert seen == [TICK] * 2


async def test_what_handlers_publish_while_the_bus_is_closing_is_handled_too(telemetry: Telemetry) -> None:
    filled: list[Order] = []
    async with telemetry.trading.event_bus(capacity=2) as bus:

        async def on_tick(tick: Tick) -> None:
            await asyncio.sleep(0)
            assert await bus.publish(Order(tick.symbol))

        bus.subscribe(Tick, on_tick)
        bus.subscribe(Order, filled.append, queue="orders")
        for number in range(10):
            await bus.publish(Tick(f"COIN{number}", 1))
    assert len(filled) == 10
