"""A scanner: which symbols are worth a strategy's look, and which filter kept the others out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.engine import contained
from ticktrace.trading._stage import Stage

if TYPE_CHECKING:
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
        self._labels = {semconv.SCANNER_NAME: name}

    def _open(self) -> None:
        self._offset = self._recorder.clock.offset()
        name = self._labels[semconv.SCANNER_NAME]
        self._start(f"{semconv.SPAN_SCAN} {name}", {**self._recorder.labels, **self._labels})

    def _close(self) -> None:
        seconds = (self.ended - self.started) * 1e-9
        self._recorder.histogram("scanner.scan.duration", self._labels).record(seconds)

    @contained(None)
    def scanned(self, symbols: int = 1) -> None:
        """So many symbols were looked at."""
        self._recorder.counter("scanner.symbols.scanned", self._labels).add(symbols)

    @contained(None)
    def filtered(self, filter_name: str, symbols: int = 1) -> None:
        """So many symbols were kept out by a filter, one of few."""
        labels = {**self._labels, semconv.FILTER_NAME: filter_name}
        self._recorder.counter("scanner.filtered", labels).add(symbols)

    @contained(None)
    def candidates(self, symbols: int = 1) -> None:
        """So many symbols passed all filters."""
        self._recorder.counter("scanner.candidates.found", self._labels).add(symbols)


class Scanner:
    """Makes a stage of every scan; made by `Trading.scanner`."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self.name = name

    def scan(self) -> Scan:
        """A stage for one pass over the symbols."""
        return Scan(self._recorder, self.name)
