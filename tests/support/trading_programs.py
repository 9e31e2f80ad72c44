"""Programs of trading: what a bot may do with candles, signals and orders, in any order, and what it leaves behind."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from support.captured import Captured
    from ticktrace import Telemetry
    from ticktrace.trading import Candle, Market, Order, Signal

__all__ = ["PROGRAMS", "Run", "left_behind"]

# What is said of a stage, inside its block or after it; numbers are drawn small so that verdicts of all kinds occur.
OF_SPAN = st.sampled_from(["attribute", "event", "status", "own span", "buffer", "value", "reads", "ids"])
OF_SIGNAL = st.one_of(
    st.tuples(st.just("check"), st.integers(0, 12), st.sampled_from([">=", "<", "~"])),
    st.tuples(st.just("emit"), st.sampled_from(["long", "exit_short", "none", "sideways"])),
    st.tuples(st.just("reject"), st.sampled_from(["cooldown", "mood"])),
)
OF_ORDER = st.one_of(
    st.tuples(st.just("submitting")),
    st.tuples(st.just("acknowledged"), st.sampled_from(["id-1", None])),
    st.tuples(st.just("filled"), st.sampled_from([1, 2, "half"])),
    st.tuples(st.just("rejected"), st.sampled_from(["insufficient_funds", "network"])),
    st.tuples(st.just("canceled")),
    st.tuples(st.just("expired")),
)
RAISES = st.sampled_from([False, False, False, True])
ORDERS = st.tuples(
    st.just("order"),
    st.sampled_from(["buy", "SELL", "hold"]),
    st.sampled_from([None, "mine"]),
    st.lists(st.one_of(OF_ORDER, OF_SPAN), max_size=3),
    RAISES,
    st.lists(OF_ORDER, max_size=2),
)
SIGNALS = st.tuples(
    st.just("signal"),
    st.sampled_from(["momentum", "reversal"]),
    st.lists(st.one_of(OF_SIGNAL, OF_SPAN, ORDERS), max_size=4),
    RAISES,
    st.lists(st.one_of(OF_SIGNAL, ORDERS), max_size=2),
)
CANDLES = st.tuples(
    st.integers(0, 5),
    st.lists(st.one_of(SIGNALS, OF_SPAN), max_size=3),
    RAISES,
    st.lists(SIGNALS, max_size=1),
)
PROGRAMS = st.lists(CANDLES, max_size=4)


class BoomError(Exception):
    """Raised in blocks."""


class Run:
    """Runs a program on one telemetry."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._market: Market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
        self._tracer = telemetry.tracer_provider.get_tracer("bot")
        self._numbers = itertools.count()
        self.said: list[Any] = []

    def run(self, program: list[Any]) -> list[Any]:
        """Run it; what the bot was answered."""
        for minute, inside, raises, after in program:
            with suppress(BoomError), self._market.candle(close_time=1_700_000_040 + 60 * minute) as candle:
                self._candle(candle, inside, raises=raises)
            self._candle(candle, after, raises=False)
            self.said.append(dict(otel_context.get_current()))
        return self.said

    def _candle(self, candle: Candle, steps: list[Any], *, raises: bool) -> None:
        for step in steps:
            if isinstance(step, str):
                self._span(step)
                continue
            _, strategy, inside, fails, after = step
            with suppress(BoomError), candle.signal(strategy) as signal:
                self._signal(signal, inside, raises=fails)
            self._signal(signal, after, raises=False)
        if raises:
            raise BoomError("of a candle")

    def _signal(self, signal: Signal, steps: list[Any], *, raises: bool) -> None:
        for step in steps:
            if isinstance(step, str):
                self._span(step)
                continue
            what, *details = step
            if what == "check":
                value, comparison = details
                said = signal.check("volume", value=value, threshold=10, comparison=comparison)
                self.said.append(said)
            elif what == "emit":
                signal.emit(details[0], confidence=0.5, price=10)
            elif what == "reject":
                signal.reject(details[0], "not today")
            else:
                self._send(signal, *details)
        if raises:
            raise BoomError("of a signal")

    def _send(  # noqa: PLR0917  the fields of a step
        self, signal: Signal, side: str, client: str | None, inside: list[Any], raises: bool, after: list[Any]
    ) -> None:
        client_id = client and f"{client}-{next(self._numbers)}"
        with (
            suppress(BoomError),
            signal.order(
                side=side, type="limit", quantity=2, expected_price=100, client_id=client_id
            ) as order,
        ):
            for step in inside:
                if isinstance(step, str):
                    self._span(step)
                else:
                    self._order(order, *step)
            if raises:
                raise BoomError("of an order")
        self.said.append(order.status)
        for step in after:
            self._order(order, *step)
            self.said.append(order.status)

    def _order(self, order: Order, what: str, *details: Any) -> None:
        if what == "filled":
            part = details[0]
            order.filled(price=101, quantity=0.5 if part == "half" else part, fee=1)
        elif what == "rejected":
            order.rejected(details[0], "no")
        else:
            getattr(order, what)(*details)

    def _span(self, what: str) -> None:
        span = trace.get_current_span()
        if what == "attribute":
            span.set_attribute("own", next(self._numbers))
        elif what == "event":
            span.add_event("own event", {"number": next(self._numbers)})
        elif what == "status":
            span.set_status(trace.StatusCode.ERROR, "so it says")
        elif what == "own span":
            with self._tracer.start_as_current_span("own span"):
                pass
        elif what == "buffer":
            with self._market.buffer_update():
                pass
        elif what == "value":
            token = otel_context.attach(otel_context.set_value("own", 1))
            self.said.append(sorted(key.partition("-")[0] for key in otel_context.get_current()))
            with self._tracer.start_as_current_span("below a value"):
                pass
            otel_context.detach(token)
        elif what == "reads":
            self.said.append((getattr(span, "name", None), span.is_recording()))
        else:
            self.said.append(span.get_span_context().is_valid)


_CLOCKS = ("_at", "duration", "timestamp", "delay", "elapsed")


def left_behind(captured: Captured, metrics: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """All spans with what they say and where they stand, and every point of `metrics`, without what clocks decide."""
    spans = captured.spans
    names = {span.context.span_id: span.name for span in spans}
    described = sorted((_span(span, names) for span in spans), key=repr)
    points = {
        name: sorted((_point(name, point) for point in captured.points(name)), key=repr) for name in metrics
    }
    return described, {name: found for name, found in points.items() if found}


def _span(span: ReadableSpan, names: dict[int, str]) -> Any:
    return (
        span.name,
        names.get(span.parent.span_id) if span.parent else None,
        span.kind,
        dict(span.attributes or {}),
        [
            (event.name, {k: v for k, v in (event.attributes or {}).items() if k != "exception.stacktrace"})
            for event in span.events
        ],
        [names.get(link.context.span_id) for link in span.links],
        (span.status.status_code, span.status.description),
        (span.start_time or 0) <= (span.end_time or 0),
    )


def _point(name: str, point: Any) -> Any:
    timed = any(word in name for word in _CLOCKS)
    value = getattr(point, "count", None) if timed else getattr(point, "sum", getattr(point, "value", None))
    return sorted(point.attributes.items()), value
