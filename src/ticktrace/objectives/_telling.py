"""What is recorded of a violation: a line in the log, an event, a span that failed, a count."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode

from ticktrace import semconv
from ticktrace._version import __version__
from ticktrace.engine import attempt
from ticktrace.objectives._judging import duration_words

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.trace import Tracer

    from ticktrace.engine import Engine, Instruments
    from ticktrace.objectives._judging import Judgement

__all__ = ["Teller", "words_of"]

_log = logging.getLogger("ticktrace")


def words_of(judgement: Judgement) -> str:
    """How an objective stands, in a sentence."""
    over = duration_words(judgement.window)
    if not judgement.total:
        return f"no events in the last {over}; wanted: {judgement.promise}"
    said = (
        f"{judgement.compliance * 100:.6g} % of {judgement.total:.10g} events were good in the last {over},"
        f" wanted: {judgement.promise}"
    )
    burn = ", ".join(f"{rate:.3g} times over {window}" for window, rate in judgement.burn.items())
    return f"{said}; the error budget burns {burn}" if burn else said


class Teller:
    """Records violations and recoveries with an engine.

    Args:
        engine: whose tracer and logger are used.
        instruments: what counts them.
    """

    def __init__(self, engine: Engine, instruments: Instruments) -> None:
        scope = ("ticktrace.objectives", __version__)
        self._tracer: Tracer = engine.tracer_provider.get_tracer(*scope, schema_url=semconv.SCHEMA_URL)
        self._logger: Logger = engine.logger_provider.get_logger(*scope, semconv.SCHEMA_URL)
        self._instruments = instruments

    def violated(self, judgement: Judgement) -> None:
        """An objective is violated, since now."""
        name, why = judgement.name, ", ".join(judgement.conditions)
        words = words_of(judgement)
        _log.warning("ticktrace: objective %s is violated (%s): %s", name, why, words)
        attributes = self._attributes(judgement)
        self._emit(semconv.EVENT_SLO_VIOLATED, SeverityNumber.WARN, words, attributes)
        attempt("objectives.span", lambda: self._span(name, words, attributes))
        for condition in judgement.conditions:
            labels = {semconv.SLO_NAME: name, semconv.SLO_CONDITION: condition}
            self._instruments.counter("ticktrace.slo.violations", labels).add(1)

    def recovered(self, judgement: Judgement) -> None:
        """An objective that was violated is met again."""
        words = words_of(judgement)
        _log.info("ticktrace: objective %s is met again: %s", judgement.name, words)
        self._emit(semconv.EVENT_SLO_RECOVERED, SeverityNumber.INFO, words, self._attributes(judgement))

    @staticmethod
    def _attributes(judgement: Judgement) -> dict[str, Any]:
        return {
            semconv.SLO_NAME: judgement.name,
            semconv.SLO_CONDITION: ",".join(judgement.conditions),
            semconv.SLO_TARGET: judgement.target,
            semconv.SLO_WINDOW: duration_words(judgement.window),
            semconv.SLO_GOOD: judgement.good,
            semconv.SLO_TOTAL: judgement.total,
        }

    def _emit(self, event: str, severity: SeverityNumber, words: str, attributes: dict[str, Any]) -> None:
        attempt(
            "objectives.event",
            lambda: self._logger.emit(
                severity_number=severity,
                severity_text=severity.name,
                body=words,
                attributes=attributes,
                event_name=event,
                context=Context(),
            ),
        )

    def _span(self, name: str, words: str, attributes: dict[str, Any]) -> None:
        span = self._tracer.start_span(
            f"{semconv.SPAN_OBJECTIVE} {name}", context=Context(), attributes=attributes
        )
        span.add_event(semconv.EVENT_SLO_VIOLATED, attributes)
        span.set_status(Status(StatusCode.ERROR, words))
        span.end()
