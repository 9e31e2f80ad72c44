"""Event buses, observed: one on asyncio, one on threads, and one that somebody else wrote.

A feed publishes bars, a strategy answers with orders, a desk fills them. Along the way a handler is slow, one fails, a
queue overflows and one hangs at the end: what an operator then sees is printed.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import NumberDataPoint

from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class CandleClosed:
    symbol: str
    close_time: int
    close: float


@dataclass(frozen=True, slots=True)
class OrderWanted:
    symbol: str
    side: str


@dataclass(frozen=True, slots=True)
class Tick:
    price: float


async def on_asyncio(telemetry: Telemetry) -> int:
    """Bars in, orders out. The order's handler works in the trace of the candle that wanted it."""
    trading = telemetry.trading
    btc = trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m")
    tracer = telemetry.tracer_provider.get_tracer("desk")
    sent = 0
    async with trading.event_bus("market", slow_after=0.01) as bus:

        @bus.on(CandleClosed)
        async def decide(event: CandleClosed) -> None:
            with btc.candle(close_time=event.close_time) as candle, candle.signal("momentum") as signal:
                if signal.check("close", value=event.close, threshold=42_000):
                    signal.emit("long")
                    await bus.publish(OrderWanted(event.symbol, "buy"))

        @bus.on(CandleClosed, queue="archive")
        def archive(_: CandleClosed) -> None:
            raise OSError("disk full")  # is counted and logged, and disturbs nobody

        @bus.on(OrderWanted, queue="execution")
        async def execute(_: OrderWanted) -> None:
            nonlocal sent
            with tracer.start_as_current_span("send order"):  # a child of the signal
                await asyncio.sleep(0.02)  # over the threshold: this one is slow
            sent += 1

        for number in range(6):
            await bus.publish(CandleClosed("BTC/USDT", 1_700_000_040 + 60 * number, 41_900.0 + 50 * number))
        await bus.publish("anybody there?", topic="nobody.listens")
    return sent


def on_threads(telemetry: Telemetry) -> list[bool]:
    """A queue with room for two, behind a handler that hangs: some events are dropped, and the end comes all the same."""
    gate = threading.Event()
    bus = telemetry.trading.threaded_event_bus("ticks", capacity=2, overflow="drop_oldest")
    bus.subscribe(Tick, lambda _: gate.wait(5), name="hang")
    bus.start()
    taken = [bus.publish(Tick(float(price))) for price in range(6)]
    handled = bus.close(timeout=0.3)
    gate.set()
    return [*taken, handled]


class SomebodysBus:
    """As many bots have it: a queue, a thread, a list of handlers."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()
        self.handlers: list[Callable[[Any], None]] = []

    def put(self, event: object) -> None:
        self.queue.put(event)

    def register(self, handler: Callable[[Any], None]) -> None:
        self.handlers.append(handler)

    def run(self) -> None:
        while (event := self.queue.get()) is not None:
            for handler in self.handlers:
                handler(event)


def on_somebodys(telemetry: Telemetry) -> int:
    """Two methods wrapped, and it is measured, too."""
    bus = SomebodysBus()
    seen: list[Any] = []
    with telemetry.trading.observe_bus(
        bus, publish="put", subscribe="register", name="somebodys", depth=bus.queue.qsize
    ):
        bus.register(seen.append)
        for price in range(3):
            bus.put(Tick(float(price)))
        time.sleep(0.01)  # they wait
        bus.queue.put(None)
        worker = threading.Thread(target=bus.run)
        worker.start()
        worker.join()
    return len(seen)


def report(telemetry: Telemetry) -> None:
    """Print what the buses recorded."""
    data = telemetry.memory.metrics
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if not metric.name.startswith("trading.event_bus."):
                    continue
                for point in metric.data.data_points:
                    labels = " ".join(
                        f"{key.removeprefix('trading.')}={value!s}"
                        for key, value in sorted((point.attributes or {}).items())
                        if key != "trading.engine.mode"
                    )
                    if isinstance(point, NumberDataPoint):
                        figure = f"{point.value:g}"
                    else:
                        figure = f"{point.count} x {point.sum / point.count * 1e3:.2f} ms"
                    print(f"{metric.name.removeprefix('trading.event_bus.'):<18} {figure:<16} {labels}")


def main() -> None:
    with setup_telemetry(
        "event-bus", mode="paper", exporters={"traces": ["memory"], "metrics": ["memory"]}
    ) as telemetry:
        print(f"{asyncio.run(on_asyncio(telemetry))} orders were sent")
        *taken, handled = on_threads(telemetry)
        print(f"{sum(taken)} ticks were taken, all handled: {handled}")
        print(f"{on_somebodys(telemetry)} ticks went over somebody's bus")
        report(telemetry)


if __name__ == "__main__":
    main()
