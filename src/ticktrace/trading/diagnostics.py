"""Diagnostics: whatever the bot wants to be known of its decisions, each call a note of a fifth of a microsecond.

A note becomes an event of the current span, a line of the journal and, for filters and conditions, a count; on the
deferred engine all of that happens in the drain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from ticktrace import semconv
from ticktrace.diagnostics import Line, plain
from ticktrace.engine import StampEvent, attempt, contained, get_current, report, text_of
from ticktrace.scrubbing import scrubber_of
from ticktrace.trading._context import StageContext
from ticktrace.trading._figures import whole
from ticktrace.trading._keys import STAGE_KEY
from ticktrace.trading._lines import check_line, ids, number, wall
from ticktrace.trading._tell import stage_in
from ticktrace.trading._time import usable_seconds
from ticktrace.trading.checks import Check, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from ticktrace.engine import BoundCounter, Note
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._stage import Stage
    from ticktrace.trading._time import Timestamp
    from ticktrace.trading.checks import Number

__all__ = ["Diagnostics"]

_MOST_SERIES = 2_000
_MOST_NOTES = 1_000  # of a block; more wait in the queue, and come too late for its span
_LONGEST_PAYLOAD = 1_024  # of a span event; the journal has its own limit
_KEYS = (
    ("symbol", semconv.SYMBOL),
    ("strategy", semconv.STRATEGY_NAME),
    ("name", semconv.FILTER_NAME),
    ("reason", semconv.DIAGNOSTIC_REASON),
    ("passed", semconv.DIAGNOSTIC_PASSED),
    ("value", semconv.FILTER_VALUE),
    ("threshold", semconv.FILTER_THRESHOLD),
    ("comparison", semconv.FILTER_COMPARISON),
)


class Diagnostics:
    """What the bot records of its decisions; reached as `Telemetry.diagnostics`. Thread-safe.

    Every method may be called anywhere, in coroutines and threads, with or without a candle being processed; none
    blocks, and none raises for what it is given.

    Records ``trading.filter.evaluations``. Values, thresholds, reasons and payloads stand on span events and in the
    journal only.

    Attributes:
        enabled: whether anything is recorded; false costs what a call costs.
    """

    def __init__(self, recorder: Recorder, settle: Callable[[], None]) -> None:
        self.enabled: bool = recorder.enabled and recorder.settings.diagnostics.enabled
        self._recorder = recorder
        self._settle = settle
        self._session = recorder.settings.diagnostics.journal.session or recorder.settings.service.name
        self._now = recorder.now
        self._of_filter = self._take_filter  # bound once: that is an object less for each note
        self._of_condition = self._take_condition
        self._events = 0
        self._counters: dict[tuple[Any, ...], BoundCounter] = {}

    # --- recording ---------------------------------------------------------------------------------------------------

    def record_filter(  # noqa: PLR0917  in the order of those who have called it so far
        self,
        stage: str,
        symbol: str,
        filter_name: str,
        value: Number,
        threshold: Number,
        passed: bool | None = None,
        extra: Mapping[str, Any] | None = None,
        comparison: str = ">=",
        margin: float | None = None,
    ) -> bool:
        """A filter has looked at a symbol.

        Args:
            stage: which step of the way it belongs to; ``filter``, unless the bot has several.
            symbol: what it has looked at.
            filter_name: the filter, one of few (``trading.filter.name``).
            value: what was measured.
            threshold: what it is held against.
            passed: the verdict; told from the numbers when left out.
            extra: whatever else may help to understand it, in the journal only.
            comparison: how: ``value COMPARISON threshold``, one of ``> >= < <= == !=``.
            margin: a failed value this close, as a fraction of the threshold, is a near miss; the settings' by default.

        Returns:
            The verdict, also while telemetry is off.
        """
        if passed is None:
            try:  # the usual case without a call
                verdict: Any = (
                    value >= threshold if comparison == ">=" else judge(value, threshold, comparison)
                )
                # What numpy answers is no bool.
                passed = verdict if verdict is True or verdict is False else bool(verdict)
            except Exception:  # noqa: BLE001  said there
                passed = judge(value, threshold, comparison)
        if self.enabled:
            context = get_current()
            note = (
                self._of_filter,
                self._now(),
                context,
                stage,
                symbol,
                filter_name,
                value,
                threshold,
                passed,
                extra,
                comparison,
                margin,
            )
            if context.__class__ is StageContext:
                # A block has none before the first one, and none once it was derived.
                notes = context.stage.notes
                if notes is not None and len(notes) < _MOST_NOTES:
                    notes.append(note)
                    return passed
            self._take(note, context)
        return passed

    def record_signal_condition(  # noqa: PLR0917  as above
        self,
        strategy: str,
        symbol: str,
        condition: str,
        value: Number,
        threshold: Number,
        passed: bool | None = None,
        candle_ts: Timestamp | None = None,
        extra: Mapping[str, Any] | None = None,
        comparison: str = ">=",
        margin: float | None = None,
    ) -> bool:
        """A strategy has looked at a condition of a signal, outside of the block of a signal; inside, use `Signal.check`.

        Args:
            strategy: who looks.
            symbol: at what.
            condition: the condition, one of few (``trading.filter.name``).
            value: what was measured.
            threshold: what it is held against.
            passed: the verdict; told from the numbers when left out.
            candle_ts: when the candle closed that it is about; the current one's by default.
            extra: as of `record_filter`.
            comparison: as of `record_filter`.
            margin: as of `record_filter`.

        Returns:
            The verdict, also while telemetry is off.
        """
        if passed is None:
            try:  # the usual case without a call
                verdict: Any = (
                    value >= threshold if comparison == ">=" else judge(value, threshold, comparison)
                )
                # What numpy answers is no bool.
                passed = verdict if verdict is True or verdict is False else bool(verdict)
            except Exception:  # noqa: BLE001  said there
                passed = judge(value, threshold, comparison)
        if self.enabled:
            context = get_current()
            note = (
                self._of_condition,
                self._now(),
                context,
                strategy,
                symbol,
                condition,
                value,
                threshold,
                passed,
                candle_ts,
                extra,
                comparison,
                margin,
            )
            if context.__class__ is StageContext:
                # A block has none before the first one, and none once it was derived.
                notes = context.stage.notes
                if notes is not None and len(notes) < _MOST_NOTES:
                    notes.append(note)
                    return passed
            self._take(note, context)
        return passed

    def record(  # noqa: PLR0917  as above
        self,
        component: str,
        stage: str,
        symbol: str | None = None,
        payload: Mapping[str, Any] | None = None,
        reason: str | None = None,
        passed: bool | None = None,
        *,
        strategy: str | None = None,
        name: str | None = None,
        value: Number | None = None,
        threshold: Number | None = None,
        comparison: str | None = None,
    ) -> None:
        """Anything that explains a decision.

        Args:
            component: what decided.
            stage: at which step.
            symbol: about what; the current candle's by default.
            payload: whatever else, copied one level deep.
            reason: why not, one of few words.
            passed: the verdict.
            strategy: whose decision; the current signal's by default.
            name: of the filter, condition or rule.
            value: what was looked at.
            threshold: what it was held against.
            comparison: how.
        """
        if not self.enabled:
            return
        try:
            copied = _plain(payload)
            more = (strategy, name, value, threshold, comparison)
            context = get_current()
            at = self._now()
            note = (self._take_anything, at, context, component, stage, symbol, copied, reason, passed, more)
            self._take(note, context)
        except Exception as error:  # noqa: BLE001  the barrier: a payload may be anything
            report("diagnostics", error)

    @contained(None)
    def increment_reason(self, reason: str, count: int = 1) -> None:
        """Count a reason, in `snapshot` only."""
        if self.enabled:
            self._recorder.reasons.count(text_of(reason), times=whole(count))

    @contained(None)
    def update_session(self, session_id: str) -> None:
        """Go on in a new journal file, under another session's name."""
        journal = self._recorder.journal
        if journal is not None:
            self._session = text_of(session_id)
            journal.update_session(self._session)

    def snapshot(self) -> dict[str, Any]:
        """What was recorded so far.

        Returns:
            ``enabled``; ``session_id`` and ``output_path`` of the journal, None without one; ``events``: calls of the
            methods here; ``reasons``: how often each was counted, most frequent first: those given here, and of filters,
            conditions, risk rules, rejections and errors; ``dropped``: what the journal has lost, by reason.
        """
        attempt("diagnostics.snapshot", self._settle)
        journal = self._recorder.journal
        clean = scrubber_of(self._recorder.settings).text
        return {
            "enabled": self.enabled,
            "session_id": None if journal is None else clean(self._session),
            "output_path": None if journal is None or journal.path is None else str(journal.path),
            "events": self._events,
            "reasons": {
                clean(reason): count for reason, count in self._recorder.reasons.most_common().items()
            },
            "dropped": {} if journal is None else dict(journal.dropped),
        }

    # --- what follows from a note ------------------------------------------------------------------------------------

    def _take(self, note: Note, context: Context) -> None:
        """Leave a note with the block that it was taken in, or in the queue; or have it follow now. Never raises."""
        try:
            stamps = self._recorder.stamps
            if stamps is not None:
                within = context.stage if isinstance(context, StageContext) else None
                if within is not None and not within.ended and within.stamps is not None:
                    notes = within.__dict__.setdefault("notes", [])  # two threads may be the first at once
                    if len(notes) < _MOST_NOTES:
                        notes.append(note)
                        return
                if within is not None or not context:
                    stamps.waiting.append(note)
                    if len(stamps.waiting) > stamps.mark:
                        stamps.crowded()
                    return
            # Without a drain, or below a span that has to be told now, before it ends.
            note[0](note)
        except Exception as error:  # noqa: BLE001  the barrier; the verdict stands
            report("diagnostics", error)

    def _take_filter(self, note: Note) -> None:
        _, at, context, stage, symbol, name, value, threshold, passed, extra, comparison, margin = note
        check = Check(at, text_of(name), value, threshold, comparison, margin, bool(passed))
        about = {"symbol": _text(symbol), "payload": _plain(extra)}
        self._take_check(check, context, about, stage=text_of(stage), component="scanner")

    def _take_condition(self, note: Note) -> None:
        (
            _,
            at,
            context,
            strategy,
            symbol,
            name,
            value,
            threshold,
            passed,
            closed,
            extra,
            comparison,
            margin,
        ) = note
        check = Check(at, text_of(name), value, threshold, comparison, margin, bool(passed))
        about = {
            "symbol": _text(symbol),
            "strategy": text_of(strategy),
            "candle": usable_seconds(closed),
            "payload": _plain(extra),
        }
        self._take_check(check, context, about, stage="condition", component="strategy")

    def _take_check(
        self, check: Check, context: Context, about: dict[str, Any], *, stage: str, component: str
    ) -> None:
        recorder = self._recorder
        self._events += 1
        margin = recorder.settings.trading.near_miss_margin
        within = stage_in(context)
        event: dict[str, Any] = check.attributes(margin, scrub=recorder.settings.diagnostics.scrub.enabled)
        if about["symbol"] is not None:
            event[semconv.SYMBOL] = about["symbol"]
        if "strategy" in about:
            event[semconv.STRATEGY_NAME] = about["strategy"]
        _tell(within, StampEvent(semconv.EVENT_FILTER_EVALUATED, event, check.at))
        self._counter(check.name, event[semconv.FILTER_RESULT], about).add(1)
        if not check.passed:
            words = ("signal", about["strategy"]) if "strategy" in about else ("filter",)
            recorder.reasons.count(*words, check.name)
        if recorder.journal is not None:
            place = _place(context, about)
            ts = wall(recorder, check.at)
            recorder.journal.take(check_line(check, margin, ts, place, stage=stage, component=component))

    def _counter(self, name: str, verdict: str, about: Mapping[str, Any]) -> BoundCounter:
        key = (about["symbol"], about.get("strategy"), name, verdict)
        counter = self._counters.get(key)
        if counter is None:
            words = self._recorder.words
            labels = {semconv.FILTER_NAME: words.filters.label(name), semconv.FILTER_RESULT: verdict}
            if about["symbol"] is not None:
                labels[semconv.SYMBOL] = words.symbols.label(about["symbol"])
            if "strategy" in about:
                labels[semconv.STRATEGY_NAME] = words.strategies.label(about["strategy"])
            counter = self._recorder.counter("filter.evaluations", labels)
            if len(self._counters) < _MOST_SERIES:
                self._counters[key] = counter
        return counter

    def _take_anything(self, note: Note) -> None:
        _, at, context, component, stage, symbol, payload, reason, passed, more = note
        recorder = self._recorder
        self._events += 1
        strategy, name, value, threshold, comparison = more
        about = {
            "symbol": _text(symbol),
            "strategy": _text(strategy),
            "name": _text(name),
            "reason": _text(reason),
            "passed": None if passed is None else bool(passed),
            "value": number(value),
            "threshold": number(threshold),
            "comparison": _text(comparison),
            "payload": payload,
        }
        component, stage = text_of(component), text_of(stage)
        within = stage_in(context)
        if within is not None or get_current_span().is_recording():
            _tell(within, StampEvent(semconv.EVENT_DIAGNOSTIC, _attributes(component, stage, about), at))
        if reason is not None and passed is not True:
            recorder.reasons.count(text_of(reason))
        if recorder.journal is not None:
            ts = wall(recorder, at)
            recorder.journal.take(Line(ts=ts, component=component, stage=stage, **_place(context, about)))


def _tell(stage: Stage | None, event: StampEvent) -> None:
    """Add an event to the stage that was current; else to the span that is, which is then being told at once."""
    if stage is not None:
        stage.tell(event)
        return
    span = get_current_span()
    if span.is_recording():
        span.add_event(event.name, event.attributes)


def _place(context: Context, about: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a line: what was told, and what the candle or signal that is being processed knows."""
    stage: Any = context.get(STAGE_KEY)
    fields: dict[str, Any] = {}
    if stage is not None:
        fields = {**stage.place(), **ids(stage)}
    else:
        spanned = get_current_span(context).get_span_context()
        if spanned.is_valid:
            fields = {"trace_id": f"{spanned.trace_id:032x}", "span_id": f"{spanned.span_id:016x}"}
    return {**fields, **{key: value for key, value in about.items() if value is not None}}


def _text(word: object) -> str | None:
    return None if word is None else text_of(word)


def _plain(extra: object) -> dict[str, Any] | None:
    """A copy of a payload, one level deep, for the caller may go on with it; what is no mapping is kept as it is."""
    if extra is None:
        return None
    return dict(extra) if isinstance(extra, Mapping) else {"value": extra}


def _attributes(component: str, stage: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """What was recorded, as attributes of a span event."""
    attributes: dict[str, Any] = {semconv.COMPONENT: component, semconv.DIAGNOSTIC_STAGE: stage}
    for field, key in _KEYS:
        if about[field] is not None:
            attributes[key] = about[field]
    if about["payload"]:
        try:
            text = json.dumps(plain(about["payload"], _LONGEST_PAYLOAD), ensure_ascii=False)
        except Exception:  # noqa: BLE001  the journal has it whole
            text = "too long"
        attributes[semconv.DIAGNOSTIC_PAYLOAD] = text
    return attributes
