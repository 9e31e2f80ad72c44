"""ticktrace as it is measured: on one engine, keeping everything or nothing, exporting to nowhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from bench.discard import DiscardedSpans, discarding_processor
from bench.interleaved import Contestant, Threads
from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry

__all__ = ["KEEP_NOTHING", "Keep", "Ours", "candle_of", "started"]

Keep = Literal["everything", "nothing"]

KEEP_NOTHING = {"head": False, "outcomes": [], "slower_than_p99": False}
"""Every rule off: what is recorded is judged and dropped."""

# A turn must fit into the buffer of traces (2,048), as the drain may sleep through it.
_MOST_TRACES = 1_000
_FIRST_CLOSE = 1_700_000_040


class Ours:
    """Running telemetry.

    Attributes:
        telemetry: the handle.
        exported: counts the spans that would have left.
        threads: what its own threads have cost so far.
    """

    def __init__(self, telemetry: Telemetry, exported: DiscardedSpans, threads: Threads) -> None:
        self.telemetry: Telemetry = telemetry
        self.exported: DiscardedSpans = exported
        self.threads: Threads = threads

    @property
    def provider(self) -> Any:
        """The tracer provider, with the SDK's methods beside the API's."""
        return self.telemetry.tracer_provider

    def settle(self) -> None:
        """Let the drain do all that waits, now and on this thread."""
        self.telemetry.memory.settle()

    def measured(self, statement: str, names: dict[str, Any], *, traces: bool = False) -> Contestant:
        """A contestant of ours; `traces` says that each operation is a trace, of which only so many may wait."""
        most = _MOST_TRACES if traces else Contestant.most
        return Contestant(statement, names, rest=self.settle, elsewhere=self.threads, most=most)

    def traced(self, function: Callable[[], object]) -> Contestant:
        """A contestant that makes a trace by calling a function."""
        return self.measured("function()", {"function": function}, traces=True)

    def check(self, keep: Keep) -> None:
        """What was kept is what the row says.

        Raises:
            RuntimeError: it is not, or spans were lost, and the figures would be about something else.
        """
        self.telemetry.flush()
        self.provider.force_flush()
        if (self.exported.count > 0) != (keep == "everything"):
            raise RuntimeError(
                f"{self.exported.count} spans were exported where {keep} was to be kept: not what is measured"
            )
        lost = self.lost()
        if lost:
            raise RuntimeError(f"telemetry was lost while it was measured: {lost}")

    def lost(self) -> dict[str, float]:
        """What ``ticktrace.dropped`` counts, by buffer and reason."""
        data = self.telemetry.memory.metrics
        return {
            ".".join(map(str, (point.attributes or {}).values())): point.value
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "ticktrace.dropped"
            for point in metric.data.data_points
            if hasattr(point, "value") and point.value
        }


@contextmanager
def started(
    *, engine: str = "deferred", keep: Keep = "everything", checked: bool = True, **settings: Any
) -> Iterator[Ours]:
    """Start ticktrace, and shut it down at the end of the block.

    Args:
        engine: ``deferred``, ``sdk``, or ``off``.
        keep: everything, as by default, or nothing.
        checked: whether to make sure, at the end, that this is what was kept and that nothing was lost.
        settings: further settings.
    """
    chosen: dict[str, Any] = {
        "exporters": {"traces": ["none"], "metrics": ["memory"]},
        "diagnostics": {"journal": {"enabled": False}},  # has rows of its own
        **settings,
    }
    if engine == "off":
        chosen["enabled"] = False
    else:
        chosen["engine"] = engine
    if keep == "nothing":
        chosen["traces"] = {"keep": KEEP_NOTHING}
    threads = Threads()
    # logfire or the application's own SDK may hold OTel's globals; what is measured does not depend on them.
    with setup_telemetry("bench", set_global=False, **chosen) as telemetry:
        exported = DiscardedSpans()
        ours = Ours(telemetry, exported, threads)
        if not telemetry.enabled:
            yield ours
            return
        # As the processor of an exporter in the settings; one from outside would stand behind a guard.
        processor: Any = discarding_processor(exported)
        ours.provider.add_own(processor)
        try:
            yield ours
            if checked:
                ours.check(keep)
        finally:
            processor.shutdown()


def candle_of(telemetry: Telemetry, symbol: str = "BTC/USDT") -> Callable[[], None]:
    """The candle pipeline through ticktrace.trading: candle, signal with a check, order."""
    market = telemetry.trading.market(venue="binance", symbol=symbol, timeframe="1m")
    close = _FIRST_CLOSE

    def candle() -> None:
        nonlocal close
        close += 60
        with market.candle(close_time=close) as bar, bar.signal("momentum") as signal:
            signal.check("volume", value=2, threshold=1)
            with signal.order(side="buy", quantity=1):
                pass

    return candle
