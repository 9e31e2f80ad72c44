"""The journal of a pipeline: built from the settings, drained by the engine, its losses counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from ticktrace import semconv
from ticktrace._version import __version__
from ticktrace.diagnostics import Journal, Line, Writing
from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry._logs import Logger

    from ticktrace.diagnostics import Entry
    from ticktrace.engine import Engine, Instruments
    from ticktrace.scrubbing import Scrubber
    from ticktrace.settings import Settings

__all__ = ["JournalKeeper", "log_event"]


class JournalKeeper:
    """A journal and the account of what it has lost.

    Attributes:
        journal: what takes decisions.
    """

    def __init__(
        self, settings: Settings, engine: Engine, scrubber: Scrubber | None, logger: Logger | None
    ) -> None:
        self._on_loss: Callable[[str, int], None] | None = None
        writing = Writing(settings.service.name, __version__, settings.engine, settings.mode)
        room: list[Callable[[Callable[[], bool]], bool]] = []

        def make_room(has_room: Callable[[], bool]) -> bool:
            return room[0](has_room)  # the engine's, which wants to know the journal first

        self.journal: Journal = Journal(
            settings.diagnostics.journal,
            writing,
            scrubber=scrubber,
            on_dropped=self._lost,
            make_room=make_room if settings.mode == "backtest" else None,
        )
        if logger is not None:
            self.journal.take = _telling(self.journal.take, log_event(logger))
        room.append(engine.drained(self.journal))

    def count_losses(self, instruments: Instruments) -> None:
        """Count from now on what is lost (``ticktrace.dropped``)."""
        # Bound beforehand: it may be the trading thread that tells of them, in the middle of recording something.
        counters = {
            reason: instruments.counter(
                "ticktrace.dropped",
                {semconv.TELEMETRY_BUFFER_NAME: "journal", semconv.TELEMETRY_DROP_REASON: reason},
            )
            for reason in ("queue_full", "write_failed", "invalid", "shutdown")
        }

        def lost(reason: str, count: int) -> None:
            counters[reason].add(count)

        self._on_loss = lost

    def _lost(self, reason: str, count: int) -> None:
        if self._on_loss is not None:
            self._on_loss(reason, count)

    def losses(self) -> list[str]:
        """What was lost, in words."""
        dropped = self.journal.dropped
        if not dropped:
            return []
        reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items())
        return [f"{sum(dropped.values())} entries of the journal ({reasons})"]


class _Telling:
    """An entry whose lines are told to somebody else, too, as they are asked for."""

    def __init__(self, entry: Entry | Line, tell: Callable[[Line], None]) -> None:
        self._entry = entry
        self._tell = tell

    def lines(self) -> Iterator[Line]:
        """The entry's."""
        for line in (self._entry,) if isinstance(self._entry, Line) else self._entry.lines():
            self._tell(line)
            yield line


def _telling(
    take: Callable[[Entry | Line], None], tell: Callable[[Line], None]
) -> Callable[[Entry | Line], None]:
    return lambda entry: take(_Telling(entry, tell))


def log_event(logger: Logger) -> Callable[[Line], None]:
    """What emits a line as a log event, for those who collect logs and no files."""

    def emit(line: Line) -> None:
        try:
            failed = line.passed is False
            attributes = {
                semconv.COMPONENT: line.component,
                semconv.DIAGNOSTIC_STAGE: line.stage,
                semconv.SYMBOL: line.symbol,
                semconv.STRATEGY_NAME: line.strategy,
                semconv.FILTER_NAME: line.name,
                semconv.DIAGNOSTIC_REASON: line.reason,
                semconv.DIAGNOSTIC_PASSED: line.passed,
                semconv.FILTER_VALUE: line.value,
                semconv.FILTER_THRESHOLD: line.threshold,
                semconv.FILTER_COMPARISON: line.comparison,
            }
            logger.emit(
                timestamp=line.ts,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=line.reason if failed and line.reason else f"{line.component} {line.stage}",
                attributes={key: value for key, value in attributes.items() if value is not None},
                event_name=semconv.EVENT_DIAGNOSTIC,
                context=_context(line),
            )
        except Exception as error:  # noqa: BLE001  the barrier
            report("diagnostics.log_event", error)

    return emit


def _context(line: Line) -> Context:
    """The context of the span that was current when the line was noted."""
    if line.trace_id is None or line.span_id is None:
        return Context()
    told = SpanContext(int(line.trace_id, 16), int(line.span_id, 16), is_remote=False)
    return set_span_in_context(NonRecordingSpan(told), Context())
