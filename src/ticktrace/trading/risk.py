"""Risk rules and how often they said no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from ticktrace import semconv
from ticktrace.engine import report
from ticktrace.trading.checks import Number, attribute_number

if TYPE_CHECKING:
    from ticktrace.trading._recorder import Recorder

__all__ = ["Risk"]


class Risk:
    """Records ``trading.risk.checks`` and ``trading.risk.checks.failed``; reached as `Trading.risk`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def check(
        self, rule: str, passed: bool, *, value: Number | None = None, limit: Number | None = None
    ) -> bool:
        """A rule was checked.

        Args:
            rule: its name, one of few: max_drawdown, daily_loss, position_size, cooldown, …
            passed: the verdict.
            value: what was measured, on the span only.
            limit: what it was held against, on the span only.

        Returns:
            `passed`, so that the call can stand in a condition.
        """
        recorder = self._recorder
        if recorder.enabled:
            try:
                labels: dict[str, Any] = {semconv.RISK_RULE: recorder.words.rules.label(rule)}
                recorder.counter("risk.checks", labels).add(1)
                if not passed:
                    recorder.counter("risk.checks.failed", labels).add(1)
                verdict = semconv.FilterResult.PASS if passed else semconv.FilterResult.FAIL
                attributes = {**labels, semconv.FILTER_RESULT: verdict.value}
                if value is not None:
                    attributes[semconv.FILTER_VALUE] = attribute_number(value)
                if limit is not None:
                    attributes[semconv.FILTER_THRESHOLD] = attribute_number(limit)
                get_current_span().add_event(semconv.EVENT_RISK_CHECKED, attributes)
            except Exception as error:  # noqa: BLE001  the barrier; the verdict stands
                report("risk.check", error)
        return passed
