"""What every part of the trading room records with: a tracer, the catalog's instruments, clocks and limits."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace._version import __version__
from ticktrace.engine import (
    BoundCounter,
    BoundGauge,
    BoundHistogram,
    Clock,
    Instruments,
    Interruptions,
    report,
)
from ticktrace.scrubbing import scrubber_of
from ticktrace.trading._limits import Words
from ticktrace.trading._reasons import Reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.trace import Tracer

    from ticktrace.diagnostics import Entry, Journal, Line
    from ticktrace.engine import Engine, Note, Stamps
    from ticktrace.settings import Settings

__all__ = ["WALL", "Recorder"]

WALL: Callable[[], float] = time.time


def _taken(note: Note) -> None:
    _, journal, entry = note
    journal.take(entry)


class Recorder:
    """The trading room's view of telemetry.

    Attributes:
        enabled: False while telemetry is off or shut down; stages then do nothing but keep their control flow.
        tracer: makes the trading spans; follows the engine in force.
        clock: monotonic readings and their offset to wall-clock time, in ns.
        now: the clock's monotonic reading, without a step in between.
        stamps: where stages are noted, on an engine that takes stamps; None on others.
        interruptions: what stopped threads lately, on the clock of `now`; None where nobody watches.
        journal: where decisions are written down; None where they are not.
        reasons: how often which reason has kept a trade from happening.
        decisions: numbers evaluations of strategies and scans.
        words: what may stand on metrics.
        market_now: "now" of the market, Unix seconds; a replay has its own. None where there is none, `WALL` for the
            wall clock, which needs no reading: a stage's start tells it.
        labels: attributes that every metric and span carries, such as the mode.
    """

    def __init__(
        self, tracer: Tracer, instruments: Instruments, settings: Settings, *, enabled: bool
    ) -> None:
        self.enabled: bool = enabled
        self.tracer: Tracer = tracer
        self.settings: Settings = settings
        self.clock: Clock = Clock()
        self.now: Callable[[], int] = self.clock.now
        self.stamps: Stamps | None = None
        self.interruptions: Interruptions | None = None
        self.journal: Journal | None = None
        self.reasons: Reasons = Reasons(settings.diagnostics.reasons)
        self.decisions: Iterator[int] = itertools.count(1)
        self.market_now: Callable[[], float] | None = None if settings.mode == "backtest" else WALL
        self.words: Words = Words(
            settings.trading.symbols, settings.trading.max_symbols, scrubber_of(settings).text
        )
        self.labels: dict[str, Any] = {semconv.ENGINE_MODE: settings.mode}
        self._instruments = instruments
        # Handles live exactly as long as the recorder; each set of labels is resolved once.
        self._kept: dict[tuple[Any, ...], Any] = {}

    def attached(self, engine: Engine) -> None:
        """An engine was attached to the instruments; in a forked child, locks may be held by threads that are gone."""
        self.words.reset_locks()
        self.reasons.reset_lock()
        self.stamps = engine.stamps("ticktrace.trading", __version__, semconv.SCHEMA_URL)

    def detached(self) -> None:
        """Nothing is recorded from now on; blocks that are left yet restore their context."""
        self.enabled = False
        self.stamps = None  # the journal goes on until all that waits has been derived

    def write_down(self, entry: Entry | Line) -> None:
        """Have the journal, where there is one, take lines or what has some, after all that was said before. Never raises."""
        journal, stamps = self.journal, self.stamps
        if journal is None:
            return
        if stamps is None:
            journal.take(entry)
            return
        stamps.waiting.append((_taken, journal, entry))
        if len(stamps.waiting) > stamps.mark:
            stamps.crowded()

    def _keep(self, method: Callable[..., Any], name: str, labels: Mapping[str, Any]) -> Any:
        key = (name, *labels.items())
        handle = self._kept.get(key)
        if handle is None:
            handle = self._kept[key] = method(name, {**self.labels, **labels})
        return handle

    def market_seconds(self) -> float:
        """The present of the market, Unix seconds; the wall clock's where there is no other."""
        try:
            return (self.market_now or WALL)()
        except Exception as error:  # noqa: BLE001  a clock of the application's
            report("market clock", error)
            return WALL()

    def counter(self, name: str, labels: Mapping[str, Any]) -> BoundCounter:
        """The bound counter ``trading.NAME`` with `labels`, resolved once and kept."""
        handle: BoundCounter = self._keep(self._instruments.counter, f"trading.{name}", labels)
        return handle

    def histogram(self, name: str, labels: Mapping[str, Any]) -> BoundHistogram:
        """The bound histogram ``trading.NAME`` with `labels`, resolved once and kept."""
        handle: BoundHistogram = self._keep(self._instruments.histogram, f"trading.{name}", labels)
        return handle

    def before_collection(self, refresh: Callable[[], None]) -> None:
        """Have `refresh` called before metrics are read; see `ticktrace.engine.Instruments.before_collection`."""
        self._instruments.before_collection(refresh)

    def dropped(self, buffer: str, reason: str) -> BoundCounter:
        """The counter of what was lost (``ticktrace.dropped``)."""
        labels = {semconv.TELEMETRY_BUFFER_NAME: buffer, semconv.TELEMETRY_DROP_REASON: reason}
        handle: BoundCounter = self._keep(self._instruments.counter, "ticktrace.dropped", labels)
        return handle

    def gauge(self, name: str, labels: Mapping[str, Any]) -> BoundGauge:
        """The bound gauge ``trading.NAME`` with `labels`, resolved once and kept."""
        handle: BoundGauge = self._keep(self._instruments.gauge, f"trading.{name}", labels)
        return handle
