"""What every part of the trading room records with: a tracer, the catalog's instruments, clocks and limits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import BoundCounter, BoundGauge, BoundHistogram, Clock, Instruments
from ticktrace.trading import _inline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Tracer

    from ticktrace.settings import Settings
    from ticktrace.trading._stage import Stage

__all__ = ["Recorder", "WordLimit"]

# Strategies, filters, risk rules, venues: words that an application chooses, of which there are few unless it errs.
MOST_WORDS = 200


class WordLimit:
    """Keeps the values of a label bounded: an allow-list, or the first N that are seen; the rest is ``other``."""

    def __init__(self, allowed: tuple[str, ...], most: int) -> None:
        self._allowed = frozenset(allowed)
        self._most = most
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def label(self, word: str) -> str:
        """What stands for `word` on metrics: itself within the limit, else ``other``."""
        if self._allowed:
            return word if word in self._allowed else semconv.OTHER
        if word in self._seen:
            return word
        with self._lock:
            if word in self._seen:
                return word
            if len(self._seen) >= self._most:
                return semconv.OTHER
            self._seen.add(word)
            return word

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()


class Recorder:
    """The trading room's view of telemetry.

    Attributes:
        enabled: False while telemetry is off or shut down; stages then do nothing but keep their control flow.
        tracer: makes the trading spans; follows the engine in force.
        clock: monotonic readings and their offset to wall-clock time, in ns.
        now: the clock's monotonic reading, without a step in between.
        enter: how a stage begins on the engine in force.
        leave: how it ends.
        market_now: "now" of the market, Unix seconds; a replay has its own.
        labels: attributes that every metric and span carries, such as the mode.
    """

    def __init__(
        self, tracer: Tracer, instruments: Instruments, settings: Settings, *, enabled: bool
    ) -> None:
        self.enabled = enabled
        self.tracer = tracer
        self.settings = settings
        self.clock: Clock = Clock()
        self.now: Callable[[], int] = self.clock.now
        self.enter: Callable[[Stage], None] = _inline.enter
        self.leave: Callable[[Stage, BaseException | None], None] = _inline.leave
        self.market_now: Callable[[], float] | None = None if settings.mode == "backtest" else time.time
        self.symbols: WordLimit = WordLimit(settings.trading.symbols, settings.trading.max_symbols)
        self.strategies: WordLimit = WordLimit((), MOST_WORDS)
        self.filters: WordLimit = WordLimit((), MOST_WORDS)
        self.rules: WordLimit = WordLimit((), MOST_WORDS)
        self.venues: WordLimit = WordLimit((), MOST_WORDS)
        self.labels: dict[str, Any] = {semconv.ENGINE_MODE: settings.mode}
        self._instruments = instruments
        # Handles live exactly as long as the recorder; each set of labels is resolved once.
        self._kept: dict[tuple[Any, ...], Any] = {}

    def attached(self) -> None:
        """An engine was attached to the instruments; in a forked child, locks may be held by threads that are gone."""
        for words in (self.symbols, self.strategies, self.filters, self.rules, self.venues):
            words.reset_lock()

    def _keep(self, method: Callable[..., Any], name: str, labels: Mapping[str, Any]) -> Any:
        key = (name, *labels.items())
        handle = self._kept.get(key)
        if handle is None:
            handle = self._kept[key] = method(name, {**self.labels, **labels})
        return handle

    def counter(self, name: str, labels: Mapping[str, Any]) -> BoundCounter:
        """The bound counter ``trading.NAME`` with `labels`, resolved once and kept."""
        handle: BoundCounter = self._keep(self._instruments.counter, f"trading.{name}", labels)
        return handle

    def histogram(self, name: str, labels: Mapping[str, Any]) -> BoundHistogram:
        """The bound histogram ``trading.NAME`` with `labels`, resolved once and kept."""
        handle: BoundHistogram = self._keep(self._instruments.histogram, f"trading.{name}", labels)
        return handle

    def dropped(self, buffer: str, reason: str) -> BoundCounter:
        """The counter of what was lost (``ticktrace.dropped``)."""
        labels = {semconv.TELEMETRY_BUFFER_NAME: buffer, semconv.TELEMETRY_DROP_REASON: reason}
        handle: BoundCounter = self._keep(self._instruments.counter, "ticktrace.dropped", labels)
        return handle

    def gauge(self, name: str, labels: Mapping[str, Any]) -> BoundGauge:
        """The bound gauge ``trading.NAME`` with `labels`, resolved once and kept."""
        handle: BoundGauge = self._keep(self._instruments.gauge, f"trading.{name}", labels)
        return handle
