"""The bot's books behind the barrier: what is told is believed or left out, and nothing raises once trading has begun."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, TypedDict

from ticktrace.engine import report, text_of, warn_once
from ticktrace.errors import AlreadyConfiguredError, SettingsError
from ticktrace.trading._time import Timestamp, usable_seconds
from ticktrace.trading.ledger.books import Names
from ticktrace.trading.ledger.config import LedgerConfig, Lots
from ticktrace.trading.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading.checks import Number

__all__ = ["KeptLedger", "LedgerOptions"]

_A_DAY = 86_400.0
_LATEST_SECONDS = 1e11  # a larger number is in ms, µs or ns; see `unix_seconds`


class LedgerOptions(TypedDict, total=False):
    """What `Performance.configure` takes; see `ticktrace.trading.ledger.LedgerConfig`."""

    currency: str
    capital: Number
    lots: Lots
    zone: str
    period: str
    periods_per_year: float | None
    risk_free: float
    multipliers: Mapping[str, Number]
    negative_prices: bool
    most_positions: int
    keep_trades: int
    keep_samples: int
    keep_days: int
    keep_fill_ids: int


class KeptLedger:
    """A ledger that is configured and restored loudly, and fed quietly; the part of `Performance` that is about its books."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._ledger = self._empty(LedgerConfig())
        self._horizon = 0.0  # times until then are believed without a look at the clock
        self._counted: dict[str, int] = {}

    def _names(self) -> Names:
        words = self._recorder.words
        return Names(strategy=words.strategies.label, symbol=words.symbols.label)

    def _empty(self, config: LedgerConfig) -> Ledger:
        return Ledger(config, self._names())

    # --- at start-up -------------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """The books. `configure`, `restore` and a fork put others in their place."""
        return self._ledger

    def configure(self, **options: Unpack[LedgerOptions]) -> None:
        """Say how the books are kept, before anything is told; see `LedgerConfig` for the options and their defaults.

        Raises:
            SettingsError: options are wrong; the message has them all.
            AlreadyConfiguredError: something was told already.
        """
        names = [field.name for field in fields(LedgerConfig)]
        unknown = [name for name in options if name not in names]
        if unknown:
            raise SettingsError(
                [f"performance.{name}: unknown; known: {', '.join(names)}" for name in unknown]
            )
        self._must_be_unused("configure")
        self._ledger = self._empty(LedgerConfig(**options))

    def restore(self, saved: str | bytes) -> None:
        """Go on with books that `to_json` saved before a restart. Comes after `configure`, before anything is told.

        Raises:
            LedgerStateError: it is no saved books, or they were kept in another way than is configured now.
            AlreadyConfiguredError: something was told already.
        """
        self._must_be_unused("restore")
        self._ledger = Ledger.from_json(saved, self._ledger.config, self._names())
        self._counted = {**self._ledger.report().refused}  # those were counted by the process that saved them

    def _must_be_unused(self, call: str) -> None:
        if self._ledger.present is not None:
            raise AlreadyConfiguredError(
                f"performance.{call}() comes before the first fill, mark and cash flow"
            )

    def start_afresh(self) -> None:
        """In a forked child: the parent's positions are the parent's, and its locks may be held for ever."""
        self._ledger = self._empty(self._ledger.config)
        self._counted = {}

    # --- the barrier -------------------------------------------------------------------------------------------------

    def _count(self, reason: str, count: int) -> None:
        new = count - self._counted.get(reason, 0)
        if new > 0:
            self._counted[reason] = count
            self._recorder.dropped("ledger", reason).add(new)
            if not reason.startswith("invalid"):  # those have been said with their cause
                warn_once(
                    f"ledger.{reason}", "ticktrace: the ledger has left out or bent %d: %s", new, reason
                )

    def _left_out(self, call: str, error: Exception) -> None:
        if isinstance(error, ValueError | TypeError):
            warn_once(f"ledger.{call}", "ticktrace: performance.%s() was left out: %s", call, text_of(error))
        else:
            report(f"performance.{call}", error)
        self._ledger.refuse(f"invalid_{call}")

    def _now(self) -> float | None:
        clock = self._recorder.market_now
        try:
            return None if clock is None else clock()
        except Exception as error:  # noqa: BLE001  the clock is the bot's
            report("performance.clock", error)
            return None

    def _seconds(self, at: Timestamp | None) -> float | None:
        """When it happened, Unix s; None leaves it to the ledger."""
        seconds = at if type(at) is float else usable_seconds(at)
        if seconds is None:
            return self._now()
        if not seconds < self._horizon:
            return self._believable(seconds)
        return seconds

    def _believable(self, at: Timestamp) -> float | None:
        """A time ahead of the clock by more than a day is a venue's mistake, and the ledger would never come back from it."""
        seconds = usable_seconds(at)
        now = self._now()
        if seconds is None:
            return now
        if now is None:
            self._horizon = _LATEST_SECONDS
        elif seconds <= now + _A_DAY:
            self._horizon = now + _A_DAY
        else:
            warn_once("ledger.time", "ticktrace: a time more than a day ahead is taken for now: %r", at)
            self._ledger.refuse("time_ahead")
            return now
        return seconds
