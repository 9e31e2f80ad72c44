"""A scanner: which symbols are worth a strategy's look, and which filter kept the others out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.diagnostics import Line
from ticktrace.engine import contained, text_of
from ticktrace.trading._figures import whole
from ticktrace.trading._lines import check_line, ids, milliseconds, wall
from ticktrace.trading._stage import SpanEnd, SpanStart, Stage, StageEvent, current_stage
from ticktrace.trading.checks import Check, Number, finite, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._recorder import Recorder

__all__ = ["Scan", "Scanner"]

# A scan of ten thousand symbols is one span: what it says of single symbols has to end somewhere.
_MOST_CANDIDATES = 20
_MOST_NEAR_MISSES = 30
_MOST_CHECKS = 100_000  # for the journal, which has a line for each


class _Tally:
    """What a scan has counted: one number for each filter, none for any symbol; None for what it was not told."""

    def __init__(self) -> None:
        self.scanned: int | None = None
        self.candidates: int | None = None
        self.filtered: Counter[str] = Counter()
        self.told: Counter[str] = Counter()  # what of it was told as a number, and has no check
        self.verdicts: Counter[tuple[str, str]] = Counter()


class Scan(Stage):
    """One pass of a scanner; made by `Scanner.scan`. Its methods may be called by several threads at once.

    Records ``trading.scanner.scan.duration``, ``trading.scanner.symbols.scanned``,
    ``trading.scanner.candidates.found``, ``trading.scanner.filtered`` and ``trading.filter.evaluations``, none of them
    by symbol. It counts while its block runs and records at the end; without a block, or after it, at once.
    """

    written_down = True
    _decision: int = 0

    def __init__(self, recorder: Recorder, labels: Mapping[str, str]) -> None:
        super().__init__(recorder)
        self._labels = labels
        self._lock = threading.Lock()
        self._tally = _Tally()
        self._names: list[str] = []
        self._near: list[StageEvent] = []
        self._checks: list[tuple[Check, str | None]] = []
        self._left_out = 0
        # Only the journal asks, which wants to know what the scan was made for.
        self._within = current_stage() if recorder.journal is not None else None

    # What the scanner says.

    def check(
        self,
        filter_name: str,
        *,
        value: Number,
        threshold: Number,
        comparison: str = ">=",
        margin: float | None = None,
        symbol: str | None = None,
    ) -> bool:
        """Ask a filter about one symbol, and let it be known what was asked.

        A symbol that fails was taken out by this filter: ask no further one about it, or it counts there, too.

        Args:
            filter_name: the filter, one of few (``trading.filter.name``).
            value: what was measured, in whatever unit the threshold has.
            threshold: what it is held against.
            comparison: how: ``value COMPARISON threshold``, one of ``> >= < <= == !=``.
            margin: a failed value this close, as a fraction of the threshold, is a near miss; the settings' by default.
            symbol: which one, on the span only, and only for near misses, thirty a scan.

        Returns:
            The verdict, also while telemetry is off.
        """
        passed = judge(value, threshold, comparison)
        if self.recorder.enabled:
            check = Check(
                self.recorder.now(), text_of(filter_name), value, threshold, comparison, margin, passed
            )
            self._checked(check, symbol)
        return passed

    @contained(None)
    def _checked(self, check: Check, symbol: str | None) -> None:
        margin = self.recorder.settings.trading.near_miss_margin
        verdict = check.verdict(margin)
        name = self.recorder.words.filters.label(check.name)
        near: StageEvent | None = None
        if verdict is semconv.FilterResult.NEAR_MISS and len(self._near) < _MOST_NEAR_MISSES:
            attributes = check.attributes(margin, scrub=self.recorder.settings.diagnostics.scrub.enabled)
            if symbol is not None:
                attributes[semconv.SYMBOL] = text_of(symbol)
            near = StageEvent(semconv.EVENT_FILTER_EVALUATED, attributes, check.at)

        def count(tally: _Tally) -> None:
            tally.verdicts[name, verdict.value] += 1
            if not check.passed:
                tally.filtered[name] += 1
                self.recorder.reasons.count("filter", check.name)
            self._remember(tally, check, symbol)
            if near is not None and tally is self._tally:
                self._near.append(near)

        self._count(count)

    def _remember(self, tally: _Tally, check: Check, symbol: str | None) -> None:
        """Keep a check for the journal."""
        if self.recorder.journal is None:
            return
        if tally is not self._tally:
            self.recorder.write_down(self._line_of(check, symbol, self.place()))
        elif len(self._checks) < _MOST_CHECKS:
            self._checks.append((check, symbol))
        else:
            self._left_out += 1

    def _line_of(self, check: Check, symbol: str | None, about: Mapping[str, Any]) -> Line:
        ts = wall(self.recorder, check.at, self.offset)
        if symbol is not None:
            about = {**about, "symbol": text_of(symbol)}
        margin = self.recorder.settings.trading.near_miss_margin
        return check_line(check, margin, ts, about, stage="filter", component="scanner")

    @contained(None)
    def scanned(self, symbols: int = 1) -> None:
        """So many symbols were looked at."""
        number = whole(symbols)

        def count(tally: _Tally) -> None:
            tally.scanned = (tally.scanned or 0) + number

        self._count(count)

    @contained(None)
    def filtered(self, filter_name: str, symbols: int = 1) -> None:
        """So many symbols were kept out by a filter, one of few."""
        name, number = self.recorder.words.filters.label(filter_name), whole(symbols)

        def count(tally: _Tally) -> None:
            tally.filtered[name] += number
            tally.told[name] += number

        self._count(count)

    @contained(None)
    def candidates(self, symbols: int | Iterable[str] = 1) -> None:
        """So many symbols passed all filters, or these; the first twenty that are named stand on the span."""
        names: list[str] = []
        if isinstance(symbols, str):
            names = [symbols]
        elif isinstance(symbols, Iterable):
            names = [text_of(symbol) for symbol in symbols]
        number = len(names) if isinstance(symbols, Iterable) else whole(symbols)

        def count(tally: _Tally) -> None:
            tally.candidates = (tally.candidates or 0) + number
            if tally is self._tally:
                self._names += names[: _MOST_CANDIDATES - len(self._names)]

        self._count(count)

    def _count(self, count: Callable[[_Tally], None]) -> None:
        if self.started and not self.ended:
            with self._lock:
                count(self._tally)
        elif self.recorder.enabled:
            # What the block has counted is the drain's to read by now, so it stays as it is.
            late = _Tally()
            count(late)
            self._record(late)

    # What follows from it.

    def span_start(self) -> SpanStart:
        """The span, with the scanner's name."""
        name = self._labels[semconv.SCANNER_NAME]
        return SpanStart(f"{semconv.SPAN_SCAN} {name}", {**self.recorder.labels, **self._labels})

    def span_end(self) -> SpanEnd:
        """How many symbols it saw and found, the first of those, and the near misses."""
        tally = self._tally
        attributes: dict[str, Any] = {}
        if tally.scanned is not None:
            attributes[semconv.SCAN_SYMBOL_COUNT] = tally.scanned
        if tally.candidates is not None:
            attributes[semconv.SCAN_CANDIDATE_COUNT] = tally.candidates
        if self._names:
            attributes[semconv.SCAN_CANDIDATES] = tuple(self._names)
        return SpanEnd(attributes, tuple(self._near))

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record how long it took and what it counted."""
        histogram = self.recorder.histogram("scanner.scan.duration", self.with_error(self._labels))
        observe(histogram, (self.ended - self.started) * 1e-9)
        self._record(self._tally)

    @property
    def decision(self) -> int:
        """Its number, by which lines of the journal belong together."""
        number = self._decision
        if not number:
            number = self.__dict__.setdefault("_decision", next(self.recorder.decisions))
        return number

    def place(self) -> dict[str, Any]:
        """The candle that it was made for, if it was, and its number."""
        within: Any = self._within
        about = {} if within is None else within.place()
        return {**about, "decision": self.decision}

    def lines(self) -> Iterator[Line]:
        """Every check, then the scan."""
        about = {**self.place(), **ids(self)}
        for check, symbol in self._checks:
            yield self._line_of(check, symbol, about)
        ts = wall(self.recorder, self.ended, self.offset)
        yield self._line(ts, self._tally, milliseconds(self), about)
        yield from super().lines()

    def write_down(
        self, seconds: float | None, scanned: int, candidates: int, filtered: Counter[str]
    ) -> None:
        """Have the journal say what was counted without a block."""
        if self.recorder.journal is not None:
            tally = _Tally()
            tally.scanned, tally.candidates, tally.told = scanned, candidates, filtered
            took = None if seconds is None else round(seconds * 1e3, 4)
            self.recorder.write_down(self._line(self.recorder.clock.wall(), tally, took, self.place()))

    def _line(self, ts: int, tally: _Tally, took: float | None, about: Mapping[str, Any]) -> Line:
        told = {
            "symbols": tally.scanned,
            "candidates": tally.candidates,
            "filtered": dict(tally.told) or None,
            "left_out": self._left_out or None,
            "ms": took,
        }
        return Line(
            ts=ts,
            component="scanner",
            stage="scan",
            name=self._labels[semconv.SCANNER_NAME],
            passed=self.failed is None,
            reason=None if self.failed is None else f"error:{self.failed}",
            payload={key: value for key, value in told.items() if value is not None},
            **about,
        )

    def _record(self, tally: _Tally) -> None:
        recorder, labels = self.recorder, self._labels
        if tally.scanned is not None:
            recorder.counter("scanner.symbols.scanned", labels).add(tally.scanned)
        if tally.candidates is not None:
            recorder.counter("scanner.candidates.found", labels).add(tally.candidates)
        for name, number in tally.filtered.items():
            recorder.counter("scanner.filtered", {**labels, semconv.FILTER_NAME: name}).add(number)
        for (name, verdict), number in tally.verdicts.items():
            facts = {**labels, semconv.FILTER_NAME: name, semconv.FILTER_RESULT: verdict}
            recorder.counter("filter.evaluations", facts).add(number)


class Scanner:
    """Makes a stage of every scan; made by `Trading.scanner`.

    Attributes:
        name: as the bot calls it.
        venue: where its symbols are traded, or None.
    """

    def __init__(self, recorder: Recorder, name: str, venue: str | None = None) -> None:
        self._recorder = recorder
        self.name: str = name
        self.venue: str | None = venue
        self._labels = {semconv.SCANNER_NAME: recorder.words.scanners.label(name)}
        if venue is not None:
            self._labels[semconv.VENUE] = recorder.words.venues.label(venue)

    def scan(self) -> Scan:
        """A stage for one pass over the symbols."""
        return Scan(self._recorder, self._labels)

    @contained(None)
    def record_scan(
        self,
        seconds: float,
        *,
        scanned: int = 0,
        candidates: int | Iterable[str] = 0,
        filtered: Mapping[str, int] | None = None,
    ) -> None:
        """A pass that the bot has timed and counted itself is over; it has no span.

        Args:
            seconds: how long it took.
            scanned: how many symbols it looked at.
            candidates: how many passed all filters, or which.
            filtered: how many each filter kept out.
        """
        took = finite(seconds)
        if took is not None:
            self._recorder.histogram("scanner.scan.duration", self._labels).record(max(0.0, took))
        scan = self.scan()
        names = [candidates] if isinstance(candidates, str) else candidates
        found = len(list(names)) if isinstance(names, Iterable) else whole(names)
        scan.scanned(scanned)
        scan.candidates(found)
        for name, number in (filtered or {}).items():
            scan.filtered(name, number)
        counts = Counter({text_of(name): whole(number) for name, number in (filtered or {}).items()})
        scan.write_down(took, whole(scanned), found, counts)
