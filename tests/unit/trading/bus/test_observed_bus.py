"""A bus that the bot has already."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from support.bus_events import Order, Tick
from ticktrace.trading.bus import _stamps

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.captured import Captured
    from ticktrace import Telemetry

TICK = Tick("BTC/USDT", 42_000.0)
SECONDS = 10.0


class ThreadBus:
    """As vnpy and its like: one queue, one thread, handlers by the event's class."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()
        self.handlers: dict[type, list[Callable[[Any], object]]] = defaultdict(list)
        self.errors: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def publish(self, event: object) -> str:
        self.queue.put(event)
        return "put"

    def subscribe(self, kind: type, handler: Callable[[Any], object]) -> None:
        self.handlers[kind].append(handler)

    def unsubscribe(self, kind: type, handler: Callable[[Any], object]) -> None:
        self.handlers[kind].remove(handler)

    def _run(self) -> None:
        while (event := self.queue.get()) is not None:
            for handler in self.handlers[type(event)]:
                try:
                    handler(event)
                except Exception as error:  # noqa: BLE001  as such buses do
                    self.errors.append(repr(error))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.queue.put(None)
        self._thread.join(SECONDS)


class TopicBus:
    """Topics and plain payloads, asyncio, with a decorator to subscribe."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.handlers: dict[str, Any] = {}

    async def emit(self, topic: str, payload: Any) -> None:
        await self.queue.put((topic, payload))

    def on(self, topic: str) -> Any:
        def decorate(handler: Any) -> Any:
            self.handlers[topic] = handler
            return handler

        return decorate

    async def run(self) -> None:
        while not self.queue.empty():
            topic, payload = await self.queue.get()
            await self.handlers[topic](topic, payload)


class Sealed:
    __slots__ = ()

    def publish(self, event: object) -> None: ...

    def subscribe(self, kind: type, handler: object) -> None: ...


@pytest.mark.parametrize(
    "event", [TICK, Order("BTC"), ("tick", 1), {"tick": 1}], ids=lambda event: type(event).__name__
)
def test_a_bus_on_threads_is_measured_and_carries_the_trace(
    telemetry: Telemetry, captured: Captured, event: Any
) -> None:
    tracer = telemetry.tracer_provider.get_tracer("bot")
    seen: list[Any] = []

    def handler(given: Any) -> None:
        tracer.start_span("book").end()
        seen.append(given)

    bus = ThreadBus()
    telemetry.trading.observe_bus(bus, name="vnpy", depth=bus.queue.qsize)
    bus.subscribe(type(event), handler)
    with tracer.start_as_current_span("feed") as feed:
        assert bus.publish(event) == "put"
    bus.start()
    bus.stop()
    assert len(seen) == 1
    assert seen[0] is event
    kind = type(event).__name__
    assert captured.count("trading.event_bus.publish.duration", trading__event__type=kind) == 1
    assert captured.count("trading.event_bus.queue.wait", trading__queue__name="vnpy") == 1
    (point,) = captured.points("trading.event_bus.handle.duration")
    assert point.attributes["trading.event.handler.name"].endswith("handler")
    assert captured.points("trading.event_bus.queue.depth")
    book = captured.span("book")
    assert book.parent is not None
    assert book.parent.span_id == feed.get_span_context().span_id


async def test_topics_payloads_and_decorators(telemetry: Telemetry, captured: Captured) -> None:
    bus = TopicBus()
    seen: list[Any] = []
    telemetry.trading.observe_bus(bus, publish="emit", subscribe="on", spans=True)

    @bus.on("orders.filled")  # type: ignore[untyped-decorator]  # as such buses are
    async def on_fill(topic: str, payload: Any) -> None:
        await asyncio.sleep(0)
        seen.append((topic, payload))

    await on_fill("by", "hand")  # the name stands for the function itself
    await bus.emit("orders.filled", {"id": 1})
    await bus.run()
    assert seen == [("by", "hand"), ("orders.filled", {"id": 1})]
    assert captured.count("trading.event_bus.handle.duration", trading__event__type="orders.filled") == 1
    assert captured.span("handle orders.filled")


def test_what_handlers_raise_is_the_bus_s_affair(telemetry: Telemetry, captured: Captured) -> None:
    bus = ThreadBus()
    telemetry.trading.observe_bus(bus)
    bus.subscribe(Tick, lambda _: 1 / 0)
    bus.publish(TICK)
    bus.start()
    bus.stop()
    assert bus.errors == ["ZeroDivisionError('division by zero')"]
    assert captured.count("trading.event_bus.handle.duration", error__type="ZeroDivisionError") == 1
    assert captured.span("handle Tick").status.status_code is trace.StatusCode.ERROR


def test_what_publishing_raises_goes_on_to_the_bot(telemetry: Telemetry, captured: Captured) -> None:
    def put(_: object) -> None:
        raise queue.Full

    publish = telemetry.trading.observe_bus().publishing(put)
    with pytest.raises(queue.Full):
        publish(TICK)
    assert captured.count("trading.event_bus.publish.duration") == 1


def test_a_handler_can_be_unsubscribed_by_its_own_name(telemetry: Telemetry) -> None:
    bus = ThreadBus()
    telemetry.trading.observe_bus(bus)
    seen: list[Tick] = []
    handler = seen.append
    bus.subscribe(Tick, handler)
    bus.subscribe(Order, handler)
    bus.unsubscribe(Tick, handler)
    assert bus.handlers[Tick] == []
    assert len(bus.handlers[Order]) == 1
    bus.unsubscribe(Order, handler)
    assert bus.handlers[Order] == []
    with pytest.raises(ValueError, match="not in list"):
        bus.unsubscribe(Order, handler)


def test_undo_gives_the_bus_its_methods_back(telemetry: Telemetry, captured: Captured) -> None:
    bus = ThreadBus()
    before = dict(vars(bus))
    with telemetry.trading.observe_bus(bus):
        assert "publish" in vars(bus)
    assert vars(bus) == before
    bus.publish(TICK)
    assert captured.points("trading.event_bus.publish.duration") == []


def test_a_bus_that_is_observed_twice_is_measured_once(telemetry: Telemetry, captured: Captured) -> None:
    bus = ThreadBus()
    first = telemetry.trading.observe_bus(bus)
    second = telemetry.trading.observe_bus(bus)
    bus.publish(TICK)
    assert captured.count("trading.event_bus.publish.duration") == 1
    first.undo()
    assert "publish" in vars(bus), "that is the second one's"
    second.undo()
    assert "publish" not in vars(bus)


@pytest.mark.parametrize(
    ("bus", "options", "message"),
    [
        (ThreadBus(), {"publish": "put"}, "ThreadBus has no method 'put'"),
        (Sealed(), {}, "the methods of Sealed cannot be replaced"),
    ],
    ids=["no such method", "sealed"],
)
def test_what_cannot_be_observed_is_refused_at_once(
    telemetry: Telemetry, bus: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        telemetry.trading.observe_bus(bus, **options)


def test_functions_can_be_wrapped_by_themselves(telemetry: Telemetry, captured: Captured) -> None:
    observed = telemetry.trading.observe_bus(name="sealed", event_type=lambda event: event["kind"])
    waiting: list[Any] = []
    publish = observed.publishing(waiting.append)
    handle = observed.handling(lambda event: event["n"], name="doubler", slow_after=3600)
    publish({"kind": "bar", "n": 4})
    assert handle(waiting.pop()) == 4
    labels = {"trading__event__type": "bar"}
    assert captured.count("trading.event_bus.publish.duration", **labels) == 1
    assert captured.count("trading.event_bus.queue.wait", trading__queue__name="sealed", **labels) == 1
    assert captured.count("trading.event_bus.handle.duration", trading__event__handler__name="doubler") == 1


def test_the_wait_counts_once_for_several_handlers(telemetry: Telemetry, captured: Captured) -> None:
    observed = telemetry.trading.observe_bus()
    waiting: list[Any] = []
    publish, handlers = (
        observed.publishing(waiting.append),
        [observed.handling(lambda _: None) for _ in range(3)],
    )
    for event in (TICK, Order("BTC")):
        publish(event)
        for handler in handlers:
            handler(event)
    assert captured.count("trading.event_bus.queue.wait") == 2
    assert captured.count("trading.event_bus.handle.duration") == 6


@pytest.mark.parametrize("event", ["tick", 7, 1.5, None, Tick], ids=repr)
def test_of_what_stands_for_itself_everywhere_no_wait_is_told(
    telemetry: Telemetry, captured: Captured, event: Any
) -> None:
    observed = telemetry.trading.observe_bus()
    observed.publishing(lambda _: None)(event)
    observed.handling(lambda _: None)(event)
    assert captured.count("trading.event_bus.handle.duration") == 1
    assert captured.points("trading.event_bus.queue.wait") == []


@pytest.mark.parametrize("make", [lambda n: Order(str(n)), lambda n: {"n": n}], ids=["weak", "strong"])
def test_events_that_nobody_handles_are_not_kept(telemetry: Telemetry, make: Callable[[int], object]) -> None:
    observed = telemetry.trading.observe_bus()
    publish, handle = observed.publishing(lambda _: None), observed.handling(lambda _: None)
    for number in range(10_000):
        publish(make(number))
    gc.collect()
    assert len(observed._stamps) <= 1_000
    for number in range(2_000):
        event = make(number)
        publish(event)
        handle(event)
    del event
    gc.collect()
    assert len(observed._stamps._handled) <= _stamps._MOST_HANDLED
    assert len(observed._stamps._weak) == 0


def test_ten_thousand_symbols_make_bounded_series(telemetry: Telemetry, captured: Captured) -> None:
    observed = telemetry.trading.observe_bus()
    publish, handle = observed.publishing(lambda *_: None), observed.handling(lambda *_: None)
    for number in range(10_000):
        publish(f"bars.COIN{number}", {"close": number})
        handle(f"bars.COIN{number}", {"close": number})
    for name in ("publish.duration", "handle.duration"):
        assert len(captured.points(f"trading.event_bus.{name}")) <= 201


def test_an_event_type_that_fails_is_contained(
    telemetry: Telemetry, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr("ticktrace.trading.bus.observed.report", lambda *_: None)
    observed = telemetry.trading.observe_bus(event_type=broken, depth=lambda: 1 // 0)
    seen: list[Any] = []
    observed.publishing(seen.append)(TICK)
    observed.handling(seen.append)(TICK)
    assert seen == [TICK, TICK]
    assert captured.count("trading.event_bus.handle.duration", trading__event__type="other") == 1


def test_the_bus_stays_what_it_is_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    trading = start(enabled=False).trading
    bus = ThreadBus()
    seen: list[Any] = []
    with trading.observe_bus(bus, spans=True):
        bus.subscribe(Tick, seen.append)
        assert bus.publish(TICK) == "put"
        bus.start()
        bus.stop()
    assert seen == [TICK]
