"""Risk: rules and their verdicts, limits that were hit, stops and targets, and how large a position is to be."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import contained, report, warn_once
from ticktrace.trading._figures import result_labels, usable_decimal
from ticktrace.trading._lines import ids, number, risk_line
from ticktrace.trading._stage import current_stage
from ticktrace.trading._tell import tell
from ticktrace.trading._words import known
from ticktrace.trading.checks import Number, attribute_number, finite, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ticktrace.trading._recorder import Recorder

__all__ = ["Risk"]

# Rules, symbols and strategies are limited words; this holds if they are not.
_MOST_FAILING = 10_000

_MEDIUM_FROM, _HIGH_FROM = 0.5, 0.75


class Risk:
    """What the bot's risk management decides; reached as `Trading.risk`. Thread-safe.

    Records ``trading.risk.checks``, ``trading.risk.checks.failed``, ``trading.risk.limit.hits``,
    ``trading.stop_loss.triggers``, ``trading.take_profit.triggers`` and ``trading.position.size``. What happened, with
    its numbers, is an event on the current span, too.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._failing: set[tuple[Any, ...]] = set()

    # --- rules and limits --------------------------------------------------------------------------------------------

    def check(
        self,
        rule: str,
        passed: bool | None = None,
        *,
        value: Number | None = None,
        limit: Number | None = None,
        comparison: str = "<=",
        symbol: str | None = None,
        strategy: str | None = None,
    ) -> bool:
        """A rule was checked.

        A check with a limit that fails after one that passed, or as the first, counts as a limit that was hit; failing
        again does not, until it has passed in between. So a limit that stays broken is one hit and many failed checks.

        Args:
            rule: its name, one of few: max_drawdown, daily_loss, position_size, cooldown, …
            passed: the verdict; told from `value` and `limit` when left out.
            value: what was measured, on the span only.
            limit: what it was held against, on the span only.
            comparison: how: ``value COMPARISON limit`` passes; one of ``> >= < <= == !=``.
            symbol: what would be traded; on metrics within the limit of the settings.
            strategy: who would trade.

        Returns:
            The verdict, so that the call can stand in a condition; also while telemetry is off. Without a verdict and
            without numbers it is False.
        """
        verdict = passed
        if verdict is None:
            if value is None or limit is None:
                warn_once(
                    "risk.check", "ticktrace: risk check %r has neither a verdict nor value and limit", rule
                )
                verdict = False
            else:
                verdict = judge(value, limit, comparison)
        if self._recorder.enabled:
            try:
                self._record_check(self._labels(rule, symbol, strategy), verdict, value, limit, comparison)
            except Exception as error:  # noqa: BLE001  the barrier; the verdict stands
                report("risk.check", error)
        return verdict

    def _labels(self, rule: str, symbol: str | None, strategy: str | None) -> dict[str, Any]:
        words = self._recorder.words
        labels: dict[str, Any] = {semconv.RISK_RULE: words.rules.label(rule)}
        if symbol is not None:
            labels[semconv.SYMBOL] = words.symbols.label(symbol)
        if strategy is not None:
            labels[semconv.STRATEGY_NAME] = words.strategies.label(strategy)
        return labels

    def _record_check(
        self,
        labels: dict[str, Any],
        passed: bool,
        value: Number | None,
        limit: Number | None,
        comparison: str,
    ) -> None:
        recorder = self._recorder
        recorder.counter("risk.checks", labels).add(1)
        if not passed:
            recorder.counter("risk.checks.failed", labels).add(1)
            recorder.reasons.count("risk", labels[semconv.RISK_RULE])
        verdict = semconv.FilterResult.PASS if passed else semconv.FilterResult.FAIL
        attributes = {**labels, semconv.FILTER_RESULT: verdict.value, **_against(value, limit)}
        tell(semconv.EVENT_RISK_CHECKED, attributes)
        if recorder.journal is not None:
            self._note(labels, comparison, passed=passed, value=number(value), threshold=number(limit))
        if limit is not None and self._begins_to_fail(tuple(labels.values()), passed=passed):
            self._record_hit(labels, value, limit)

    def _note(self, labels: Mapping[str, Any], comparison: str, *, passed: bool, **numbers: Any) -> None:
        """Write it down with the signal it is about, if one is being evaluated here."""
        stage: Any = current_stage()
        about: dict[str, Any] = {}
        if stage is not None:
            about = {**stage.place(), **ids(stage)}
        for key, field in ((semconv.SYMBOL, "symbol"), (semconv.STRATEGY_NAME, "strategy")):
            if key in labels:
                about.setdefault(field, labels[key])
        if numbers["threshold"] is not None:
            numbers["comparison"] = comparison
        rule = labels[semconv.RISK_RULE]
        recorder = self._recorder
        line = risk_line(
            recorder.clock.wall(), about, passed=passed, reason=f"risk:{rule}", name=rule, **numbers
        )
        if stage is None:
            recorder.write_down(line)
        else:
            stage.note(line)

    def _begins_to_fail(self, key: tuple[Any, ...], *, passed: bool) -> bool:
        with self._lock:
            if passed:
                self._failing.discard(key)
                return False
            if key in self._failing:
                return False
            if len(self._failing) < _MOST_FAILING:
                self._failing.add(key)
            return True

    @contained(None)
    def limit_hit(
        self,
        rule: str,
        *,
        value: Number | None = None,
        limit: Number | None = None,
        symbol: str | None = None,
        strategy: str | None = None,
    ) -> None:
        """A limit was reached that no `check` has told of, such as a loss that stops trading for the day.

        Args:
            rule: whose limit it is, one of few.
            value: what was measured, on the span only.
            limit: where the limit is, on the span only.
            symbol: what it concerns.
            strategy: whom it concerns.
        """
        if self._recorder.enabled:
            self._record_hit(self._labels(rule, symbol, strategy), value, limit)

    def _record_hit(self, labels: dict[str, Any], value: Number | None, limit: Number | None) -> None:
        self._recorder.counter("risk.limit.hits", labels).add(1)
        tell(semconv.EVENT_RISK_LIMIT_HIT, {**labels, **_against(value, limit)})
        rule = labels[semconv.RISK_RULE]
        warn_once(f"risk.limit.{rule}", "ticktrace: risk limit %r was hit: %s against %s", rule, value, limit)

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()

    # --- stops, targets, sizes ---------------------------------------------------------------------------------------

    def stop_loss_triggered(
        self,
        *,
        symbol: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        price: Number | None = None,
        stop: Number | None = None,
    ) -> None:
        """A stop loss was triggered.

        Args:
            symbol: what is held.
            strategy: whose position it is.
            venue: where.
            price: what set it off, on the span only.
            stop: where the stop stood, on the span only.
        """
        self._triggered(
            "stop_loss.triggers", semconv.EVENT_STOP_LOSS_TRIGGERED, (symbol, strategy, venue), price, stop
        )

    def take_profit_triggered(
        self,
        *,
        symbol: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        price: Number | None = None,
        target: Number | None = None,
    ) -> None:
        """A profit target was triggered; as `stop_loss_triggered`."""
        self._triggered(
            "take_profit.triggers",
            semconv.EVENT_TAKE_PROFIT_TRIGGERED,
            (symbol, strategy, venue),
            price,
            target,
        )

    @contained(None)
    def _triggered(
        self,
        counter: str,
        event: str,
        what: tuple[str | None, str | None, str | None],
        price: Number | None,
        level: Number | None,
    ) -> None:
        if not self._recorder.enabled:
            return
        symbol, strategy, venue = what
        labels = result_labels(self._recorder.words, symbol=symbol, strategy=strategy, venue=venue)
        self._recorder.counter(counter, labels).add(1)
        attributes: dict[str, Any] = dict(labels)
        if price is not None:
            attributes[semconv.TRIGGER_PRICE] = attribute_number(price)
        if level is not None:
            attributes[semconv.TRIGGER_LEVEL] = attribute_number(level)
        tell(event, attributes)

    @contained(None)
    def position_sized(
        self,
        value: Number | None = None,
        *,
        quantity: Number | None = None,
        price: Number | None = None,
        side: str | None = None,
        confidence: float | None = None,
        symbol: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
    ) -> None:
        """It was decided how large a position is to be.

        Args:
            value: what goes into it, in the account currency; `quantity` times `price` when left out.
            quantity: how much, in units of what is traded.
            price: of one unit.
            side: buy or sell.
            confidence: how sure the strategy was, 0 to 1; on metrics as low (below 0.5), medium (below 0.75) or high.
            symbol: what is traded.
            strategy: who trades.
            venue: where.
        """
        if not self._recorder.enabled:
            return
        worth, units, unit_price = usable_decimal(value), usable_decimal(quantity), usable_decimal(price)
        if worth is None and units is not None and unit_price is not None:
            worth = units * unit_price
        if worth is None:
            return
        labels = result_labels(self._recorder.words, symbol=symbol, strategy=strategy, venue=venue)
        if side is not None:
            labels[semconv.ORDER_SIDE] = known(semconv.Side, side)
        sure = finite(confidence)
        if sure is not None:
            labels[semconv.CONFIDENCE_BAND] = _band(sure).value
        self._recorder.histogram("position.size", labels).record(float(abs(worth)))
        attributes: dict[str, Any] = {**labels, semconv.POSITION_VALUE: attribute_number(abs(worth))}
        if units is not None:
            attributes[semconv.POSITION_QUANTITY] = attribute_number(units)
        if sure is not None:
            attributes[semconv.SIGNAL_CONFIDENCE] = sure
        tell(semconv.EVENT_POSITION_SIZED, attributes)


def _against(value: Number | None, limit: Number | None) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if value is not None:
        attributes[semconv.FILTER_VALUE] = attribute_number(value)
    if limit is not None:
        attributes[semconv.FILTER_THRESHOLD] = attribute_number(limit)
    return attributes


def _band(confidence: float) -> semconv.ConfidenceBand:
    if confidence < _MEDIUM_FROM:
        return semconv.ConfidenceBand.LOW
    return semconv.ConfidenceBand.MEDIUM if confidence < _HIGH_FROM else semconv.ConfidenceBand.HIGH
