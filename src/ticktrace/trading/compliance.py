"""What the rules of brokers and regulators keep a bot from: day trades and unsettled cash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import contained, text_of, warn_once
from ticktrace.trading._figures import result_labels
from ticktrace.trading._tell import tell
from ticktrace.trading._words import known
from ticktrace.trading.checks import finite

if TYPE_CHECKING:
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.risk import Risk

__all__ = ["Compliance"]

_PDT = "pdt"


class Compliance:
    """Events of the pattern day trader rule and of cash accounts; reached as `Trading.compliance`. Thread-safe.

    Which trades are day trades, which days count, and what has settled, the bot or its broker knows: here it is told.

    Records ``trading.pdt.day_trades``, ``trading.pdt.avoided`` and ``trading.cash_account.violations``; a limit of day
    trades is a check of the risk rule ``pdt``.
    """

    def __init__(self, recorder: Recorder, risk: Risk) -> None:
        self._recorder = recorder
        self._risk = risk

    def day_trades(self, count: int, *, limit: int | None = None, venue: str | None = None) -> bool:
        """How many day trades the account has made within the window that counts.

        By FINRA 4210(f)(8)(B) that window is five business days, and the fourth day trade in it makes a pattern day
        trader, so the limit is 3.

        Args:
            count: so many.
            limit: how many there may be; recorded as a check of rule ``pdt``, which fails when it is reached.
            venue: which account, where there are several.

        Returns:
            Whether there may be another one; True without a limit. Also while telemetry is off.
        """
        self._show(count, venue)
        return limit is None or self._risk.check(_PDT, value=count, limit=limit, comparison="<")

    @contained(None)
    def _show(self, count: int, venue: str | None) -> None:
        number = finite(count)
        if number is not None:
            labels = result_labels(self._recorder.words, venue=venue)
            self._recorder.gauge("pdt.day_trades", labels).set(number)

    def pdt_avoided(
        self,
        *,
        symbol: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        message: str = "",
    ) -> None:
        """A trade was left out to stay below the pattern day trader rule.

        Args:
            symbol: what would have been traded.
            strategy: who would have traded.
            venue: where.
            message: free text, on the span only.
        """
        labels = self._labels(symbol, strategy, venue)
        self._record("pdt.avoided", semconv.EVENT_PDT_AVOIDED, labels, message)

    def cash_violation(
        self,
        kind: str = semconv.CashViolation.UNSETTLED_FUNDS.value,
        *,
        symbol: str | None = None,
        strategy: str | None = None,
        venue: str | None = None,
        message: str = "",
    ) -> None:
        """A rule for cash accounts was broken.

        Args:
            kind: good_faith, free_riding, cash_liquidation, unsettled_funds or other.
            symbol: what was traded.
            strategy: who traded.
            venue: where.
            message: free text, on the span only.
        """
        violation = known(semconv.CashViolation, kind)
        labels = {**self._labels(symbol, strategy, venue), semconv.VIOLATION_TYPE: violation}
        self._record("cash_account.violations", semconv.EVENT_CASH_VIOLATION, labels, message)
        if self._recorder.enabled:
            warn_once(f"cash.{violation}", "ticktrace: a rule for cash accounts was broken: %s", violation)

    @contained({})
    def _labels(self, symbol: str | None, strategy: str | None, venue: str | None) -> dict[str, Any]:
        return {**result_labels(self._recorder.words, symbol=symbol, strategy=strategy, venue=venue)}

    @contained(None)
    def _record(self, counter: str, event: str, labels: dict[str, Any], message: str) -> None:
        if not self._recorder.enabled:
            return
        self._recorder.counter(counter, labels).add(1)
        tell(event, {**labels, semconv.REJECT_MESSAGE: text_of(message)} if message else labels)
