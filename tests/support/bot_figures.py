"""What the breakout bot's own books say that its metrics have to say: one table for memory and for Prometheus."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ticktrace import semconv
from ticktrace.catalog import CATALOG, Kind, label_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.captured import Captured
    from support.prometheus import Prometheus

__all__ = ["Figure", "figures"]

_RELATIVE = 1e-9  # a sum of floats differs from one of decimals in the last places
_ACCOUNT = {semconv.STRATEGY_NAME: "", semconv.SYMBOL: ""}
_EXCEPTIONS = ("Error",)  # how the names of the bot's exceptions end; other errors are words


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: the instrument.
        expected: what the books say, by the values of the attributes in `by`; without those that are 0.
        by: attributes.
        part: of a histogram, its count or its sum.
        only: attributes that the series must have; "" for those that they must not.
    """

    name: str
    expected: Mapping[tuple[str, ...], float]
    by: tuple[str, ...] = ()
    part: Literal["value", "count", "sum"] = "value"
    only: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} ({self.part}) by {self.by}"

    def captured(self, captured: Captured) -> dict[tuple[str, ...], float]:
        """What telemetry in memory says."""
        found: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for point in captured.points(self.name):
            attributes = point.attributes or {}
            if all(attributes.get(key, "") == value for key, value in self.only.items()):
                found[tuple(str(attributes.get(key, "")) for key in self.by)] += getattr(point, self.part)
        return {key: value for key, value in found.items() if value}

    def scraped(self, prometheus: Prometheus) -> dict[tuple[str, ...], float]:
        """What Prometheus says, under the name that the catalog promises."""
        suffix = "" if self.part == "value" else f"_{self.part}"
        only = ",".join(f'{label_name(key)}="{value}"' for key, value in self.only.items())
        labels = [label_name(key) for key in self.by]
        name = CATALOG[self.name].prometheus_name
        answer = prometheus.query(f"sum by ({','.join(labels)}) ({name}{suffix}{{{only}}})")
        return {tuple(series.get(label, "") for label in labels): value for series, value in answer if value}

    def problem(self, found: Mapping[tuple[str, ...], float]) -> str | None:
        """How far what was found is from what was expected; None where it is the same."""
        same = found.keys() == self.expected.keys() and all(
            abs(found[key] - value) <= _RELATIVE * abs(value) for key, value in self.expected.items()
        )
        return None if same else f"{self}: the books say {dict(self.expected)}, telemetry {dict(found)}"


def figures(books: Mapping[str, Any]) -> Iterator[Figure]:
    """Every figure that the books (`Ledger.as_dict`) and the metrics share."""
    counts: Mapping[str, Mapping[str, int]] = books["counts"]
    yield from _market(books)
    yield from _decisions(books)
    yield from _orders(books)
    yield from _performance(books)
    yield from _machinery(counts)
    yield from _surroundings(counts)
    hits = {("paper", "create_order"): books["orders"]["rejected"].get("rate_limited", 0)}
    yield _figure("trading.provider.rate_limit.hits", hits, semconv.PROVIDER_NAME, semconv.PROVIDER_OPERATION)


def _figure(
    name: str,
    expected: Mapping[Any, float] | float,
    *by: str,
    only: Mapping[str, str] | None = None,
    part: Literal["count", "sum"] = "count",
) -> Figure:
    """A figure; `expected` is one number, or numbers by attribute values: in a tuple, or in a text with blanks between."""
    numbers: Mapping[Any, float] = {(): expected} if isinstance(expected, int | float) else expected
    keyed: dict[tuple[str, ...], float] = {
        key if isinstance(key, tuple) else tuple(key.split()): float(value)
        for key, value in numbers.items()
        if value
    }
    histogram = CATALOG[name].kind is Kind.HISTOGRAM
    return Figure(name, keyed, by, part if histogram else "value", only or {})


def _market(books: Mapping[str, Any]) -> Iterator[Figure]:
    bars = books["candles"]
    yield _figure("trading.candles.processed", bars)
    yield _figure("trading.candle.processing.duration", bars)
    yield _figure("trading.candle.delay", bars)
    yield _figure("trading.stream.messages", bars)
    yield _figure("trading.engine.cycle.duration", bars)
    yield _figure("trading.candle.gaps", books["gaps"])
    believed = bars - books["bad_ticks"]
    yield _figure("trading.buffer.update.duration", believed)
    yield _figure("trading.scanner.scan.duration", believed)
    yield _figure("trading.scanner.symbols.scanned", believed)
    yield _figure("trading.scanner.candidates.found", books["candidates"])
    yield _figure("trading.scanner.filtered", books["filtered"], semconv.FILTER_NAME)
    lost = books["counts"].get("disconnects", {})
    yield _figure("trading.stream.disconnects", lost, semconv.DISCONNECT_REASON)


def _decisions(books: Mapping[str, Any]) -> Iterator[Figure]:
    counts = books["counts"]
    signals = {
        (strategy, kind): number
        for strategy, kinds in books["signals"].items()
        for kind, number in kinds.items()
    }
    by = (semconv.STRATEGY_NAME, semconv.SIGNAL_TYPE)
    yield _figure("trading.signals.generated", signals, *by)
    yield _figure("trading.signal.confidence", signals, *by)
    yield _figure("trading.signals.rejected", books["signals_rejected"], semconv.SIGNAL_REJECT_REASON)
    evaluations = counts.get("evaluations", {})
    yield _figure("trading.filter.evaluations", counts.get("checks", {}), semconv.FILTER_NAME)
    yield _figure("trading.signal.generation.duration", evaluations, semconv.STRATEGY_NAME)
    yield _figure("trading.strategy.evaluation.duration", evaluations, semconv.STRATEGY_NAME)
    yield _figure("trading.strategy.evaluations", evaluations, semconv.STRATEGY_NAME)
    for name, what in (
        ("trading.risk.checks", "risk_checks"),
        ("trading.risk.checks.failed", "risk_checks_failed"),
        ("trading.risk.limit.hits", "risk_limit_hits"),
    ):
        yield _figure(name, counts.get(what, {}), semconv.RISK_RULE)
    exits = {tuple(key.split()): number for key, number in counts.get("exits", {}).items()}
    for name, why in (("trading.stop_loss.triggers", "stop"), ("trading.take_profit.triggers", "target")):
        triggered = {(strategy,): number for (strategy, reason), number in exits.items() if reason == why}
        yield _figure(name, triggered, semconv.STRATEGY_NAME)
    yield _figure("trading.position.size", counts.get("positions_sized", {}), semconv.STRATEGY_NAME)
    yield _figure("trading.pdt.avoided", counts.get("pdt_avoided", {}), semconv.STRATEGY_NAME)


def _orders(books: Mapping[str, Any]) -> Iterator[Figure]:
    orders = books["orders"]
    yield _figure("trading.orders.submitted", orders["submitted"])
    yield _figure("trading.orders.rejected", orders["rejected"], semconv.ORDER_REJECT_REASON)
    yield _figure("trading.trades.rejected", orders["rejected"], semconv.ORDER_REJECT_REASON)
    yield _figure("trading.trade.execution.duration", orders["acknowledged"])
    yield _figure("trading.order.submit.duration", orders["acknowledged"])
    yield _figure("trading.order.prepare.duration", orders["submitted"])
    yield _figure("trading.tick_to_trade.duration", orders["submitted"])
    yield _figure("trading.order.fills", books["fills"])
    yield _figure("trading.order.fills", orders["filled"], only={semconv.ORDER_STATUS: "filled"})
    yield _figure("trading.slippage.bps", books["fills"])
    yield _figure("trading.trades.executed", orders["filled"])
    yield _figure("trading.order.fill.duration", orders["filled"])
    yield _figure("trading.engine.orders.open", orders["open"])


def _performance(books: Mapping[str, Any]) -> Iterator[Figure]:
    trades, account = books["trades"], books["account"]
    by_strategy = trades["by_strategy"]

    def of(figure: str) -> dict[tuple[str, ...], float]:
        return {(strategy,): float(told[figure]) for strategy, told in by_strategy.items()}

    for name, figure in (
        ("trading.trade.profit_loss", "profit_loss"),
        ("trading.position.holding.duration", "holding_seconds"),
        ("trading.r_multiple", "r_multiple"),
    ):
        yield _figure(name, of("closed"), semconv.STRATEGY_NAME)
        yield _figure(name, of(figure), semconv.STRATEGY_NAME, part="sum")
    won = {key: number / of("closed")[key] for key, number in of("won").items()}
    yield _figure("trading.strategy.win_rate", won, semconv.STRATEGY_NAME)
    yield _figure("trading.win_rate", trades["won"] / max(1, trades["closed"]), only=_ACCOUNT)
    for name, figure in (
        ("trading.pnl.realized", "realized"),
        ("trading.pnl.unrealized", "unrealized"),
        ("trading.portfolio.value", "value"),
        ("trading.drawdown.ratio", "drawdown"),
        ("trading.drawdown.max_ratio", "worst_drawdown"),
        ("trading.exposure.ratio", "exposure"),
    ):
        yield _figure(name, float(account[figure]), only=_ACCOUNT)
    yield _figure("trading.engine.positions.open", account["positions_open"])
    yield _figure("trading.position.mismatch", float(account["mismatch"]))


def _machinery(counts: Mapping[str, Mapping[str, int]]) -> Iterator[Figure]:
    steps = counts["transitions"]
    by = (semconv.ENGINE_TRANSITION_FROM, semconv.ENGINE_TRANSITION_TO)
    yield _figure("trading.engine.state.transitions", steps, *by)
    yield _figure("trading.engine.state.illegal_transitions", 0)
    yield _figure("trading.engine.state.duration", sum(steps.values()))
    for name, what in (
        ("trading.event_bus.publish.duration", "events_published"),
        ("trading.event_bus.queue.wait", "events_handled"),
        ("trading.event_bus.handle.duration", "events_handled"),
    ):
        yield _figure(name, counts[what], semconv.EVENT_TYPE)
    yield _figure("trading.event_bus.queue.depth", 0)
    errors = counts.get("errors", {})
    exceptions = {key: number for key, number in errors.items() if key.endswith(_EXCEPTIONS)}
    for name, expected in (
        ("trading.errors", errors),
        ("trading.exceptions", exceptions),
        ("trading.critical_errors", counts.get("critical_errors", {})),
    ):
        yield _figure(name, expected, semconv.COMPONENT, semconv.ERROR_TYPE)
    asked = {"look_up_position": counts["provider_calls"].get("paper fetch_position", 0)}
    yield _figure("ticktrace.measure.duration", asked, semconv.MEASURE_NAME)


def _surroundings(counts: Mapping[str, Mapping[str, int]]) -> Iterator[Figure]:
    call = (semconv.PROVIDER_NAME, semconv.PROVIDER_OPERATION)
    for name in ("trading.provider.api.calls", "trading.provider.api.duration"):
        yield _figure(name, counts["provider_calls"], *call)
    failed = counts.get("provider_errors", {})
    yield _figure("trading.provider.api.errors", failed, *call, semconv.ERROR_TYPE)
    yield _figure("trading.provider.api.retries", counts.get("provider_retries", {}), *call)
    yield _figure("trading.provider.rate_limit.wait", counts.get("rate_limit_waits", {}), *call)
    yield _figure("trading.cache.lookups", counts.get("cache_lookups", {}), semconv.CACHE_RESULT)
    yield _figure("trading.cache.evictions", counts.get("cache_evictions", {}))
    operations = counts["database_operations"]
    yield _figure("db.client.operation.duration", operations, semconv.DB_OPERATION_NAME)
    updates = counts.get("sentiment_updates", {})
    yield _figure("trading.sentiment.calculation.duration", updates)
    used = counts.get("sentiment_used", {})
    yield _figure("trading.sentiment.provider.usage", used, semconv.PROVIDER_NAME)
    aggregate = {"aggregate": updates.get("", 0)}
    yield _figure("trading.sentiment.score", {**used, **aggregate}, semconv.PROVIDER_NAME)
    yield _figure("trading.sentiment.divergences", counts.get("sentiment_divergences", {}))
