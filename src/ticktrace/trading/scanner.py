"""A scanner: which symbols are worth a strategy's look, and which filter kept the others out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.engine import contained
from ticktrace.trading._stage import SpanStart, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine import BoundHistogram
    from ticktrace.trading._recorder import Recorder

__all__ = ["Scan", "Scanner"]


class Scan(Stage):
    """One pass of a scanner; made by `Scanner.scan`.

    Records ``trading.scanner.scan.duration``, ``trading.scanner.symbols.scanned``,
    ``trading.scanner.candidates.found`` and ``trading.scanner.filtered``, none of them by symbol.
    """

    __slots__ = ("_labels",)

    def __init__(self, recorder: Recorder, name: str) -> None:
        super().__init__(recorder)
        self._labels = {semconv.SCANNER_NAME: recorder.words.scanners.label(name)}

    def span_start(self) -> SpanStart:
        """The span, with the scanner's name."""
        name = self._labels[semconv.SCANNER_NAME]
        return SpanStart(f"{semconv.SPAN_SCAN} {name}", {**self.recorder.labels, **self._labels})

    def measure(self, observe: Callable[[BoundHistogram, float], None]) -> None:
        """Record how long it took."""
        histogram = self.recorder.histogram("scanner.scan.duration", self.with_error(self._labels))
        observe(histogram, (self.ended - self.started) * 1e-9)

    @contained(None)
    def scanned(self, symbols: int = 1) -> None:
        """So many symbols were looked at."""
        self.recorder.counter("scanner.symbols.scanned", self._labels).add(symbols)

    @contained(None)
    def filtered(self, filter_name: str, symbols: int = 1) -> None:
        """So many symbols were kept out by a filter, one of few."""
        labels = {**self._labels, semconv.FILTER_NAME: self.recorder.words.filters.label(filter_name)}
        self.recorder.counter("scanner.filtered", labels).add(symbols)

    @contained(None)
    def candidates(self, symbols: int = 1) -> None:
        """So many symbols passed all filters."""
        self.recorder.counter("scanner.candidates.found", self._labels).add(symbols)


class Scanner:
    """Makes a stage of every scan; made by `Trading.scanner`."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self.name = name

    def scan(self) -> Scan:
        """A stage for one pass over the symbols."""
        return Scan(self._recorder, self.name)
