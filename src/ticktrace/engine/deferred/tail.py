"""Keep or drop, after the fact: what happened in a trace decides whether it is worth keeping.

A candle that ended in an order, an error, a rejection or an unusual delay is kept, a boring one is not. The rules are
looked at in a fixed order and the first that holds is the reason, so that a rare reason is not hidden by a common one.
What only other processes know (an error further down the line, the whole duration of a trace whose root is remote)
cannot be decided here; the head decision, which travels with the trace, is all that processes share.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ticktrace.engine.stamp import Happened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

__all__ = ["KeepReason", "KeepRules", "RunningQuantile", "Tail", "TraceFacts"]


class KeepReason(StrEnum):
    """Why a trace was kept (``ticktrace.keep.reason``), first match first."""

    REJECTION = "rejection"
    ERROR = "error"
    FILL = "fill"
    ORDER = "order"
    SLOW = "slow"
    ATTRIBUTE = "attribute"
    NEAR_MISS = "near_miss"
    SHARE = "share"
    HEAD = "head"


class DiscardReason(StrEnum):
    """Why a trace was discarded (``ticktrace.discard.reason``)."""

    BORING = "boring"
    BUDGET = "budget"


@dataclass(frozen=True)
class KeepRules:
    """What is worth keeping; the settings' group ``traces.keep``.

    Attributes:
        outcomes: what must have happened.
        slower_than: seconds by kind (the first word of the root's name); ``*`` for all other kinds.
        slower_than_p99: whether what is slower than the running 99th percentile of its kind is kept.
        attributes: keys and values of which one must be on a span of the trace.
        share_key: the attribute of the root by which rare ones get their share, or None.
        share_per_minute: so many traces a minute are kept for each value of that key.
        head: whether what the sampler wanted is kept.
        head_per_second: at most so many a second are kept for nothing but that; None for all. Not for a trace that began
            elsewhere: the others have kept their part.
        max_per_second: at most so many a second are kept overall; None for no limit.
    """

    outcomes: int = Happened.ERROR | Happened.REJECTION | Happened.FILL | Happened.ORDER | Happened.NEAR_MISS
    slower_than: Mapping[str, float] = field(default_factory=dict)
    slower_than_p99: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)
    share_key: str | None = None
    share_per_minute: float = 1.0
    head: bool = True
    head_per_second: float | None = None
    max_per_second: float | None = None

    def match(self, attributes: Mapping[str, Any]) -> bool:
        """Whether these attributes of a span are such as `attributes` asks for."""
        return any(
            key in attributes and str(attributes[key]) == value for key, value in self.attributes.items()
        )


class TraceFacts(NamedTuple):
    """What the rules ask about a trace.

    Attributes:
        kind: the first word of the root's name.
        seconds: the duration of the root.
        happened: everything that happened in it.
        head_sampled: whether the sampler, or the remote parent, wanted it.
        share: the root's attribute `KeepRules.share_key`, or None.
        matched: whether `KeepRules.match` holds for any span.
    """

    kind: str
    seconds: float
    happened: int
    head_sampled: bool
    share: AttributeValue | None = None
    matched: bool = False
    continued: bool = False


class RunningQuantile:
    """The quantile of the last values, exact over the window.

    Args:
        quantile: 0 to 1.
        window: how many values it looks back on.
        least: below so many values it knows nothing.
    """

    __slots__ = ("_least", "_order", "_quantile", "_sorted", "_window")

    def __init__(self, quantile: float = 0.99, window: int = 1_000, least: int = 100) -> None:
        self._quantile = quantile
        self._window = window
        self._least = least
        self._order: deque[float] = deque()
        self._sorted: list[float] = []

    def exceeded(self, value: float) -> bool:
        """Whether `value` is above the quantile of the values before it, which it then joins."""
        ranked = self._sorted
        known = len(ranked)
        above = known >= self._least and value > ranked[min(known - 1, int(known * self._quantile))]
        if known >= self._window:
            del ranked[bisect_left(ranked, self._order.popleft())]
        insort(ranked, value)
        self._order.append(value)
        return above


class _Bucket:
    """A token bucket: `rate` a second, up to a second's worth (at least one) at once."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = max(1.0, rate)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more is within the budget."""
        self._tokens = min(max(1.0, self._rate), self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


_MOST_KINDS = 200
_OUTCOMES = (
    (
        Happened.REJECTION,
        KeepReason.REJECTION,
    ),  # before error: a rejected order is one, too, and this says more
    (Happened.ERROR, KeepReason.ERROR),
    (Happened.FILL, KeepReason.FILL),
    (Happened.ORDER, KeepReason.ORDER),
)


class Tail:
    """Judges traces by the rules. One at a time: the drain's, or whoever flushes."""

    def __init__(self, rules: KeepRules, now: float) -> None:
        self._rules = rules
        self._quantiles: dict[str, RunningQuantile] = {}
        self._shares: dict[str, _Bucket] = {}
        self._budget = None if rules.max_per_second is None else _Bucket(rules.max_per_second, now)
        limited = rules.head_per_second
        self._heads = None if limited is None else _Bucket(limited, now)
        self._lock = threading.Lock()

    def judge(self, facts: TraceFacts, now: float) -> KeepReason | DiscardReason:
        """Why the trace is kept, or why not.

        Args:
            facts: what happened.
            now: monotonic seconds.
        """
        with self._lock:
            reason = self._reason(facts, now)
            if reason is None:
                return DiscardReason.BORING
            if (
                reason is KeepReason.HEAD
                and self._heads is not None
                and not facts.continued
                and not self._heads.take(now)
            ):
                return DiscardReason.BORING
            if self._budget is not None and not self._budget.take(now):
                return DiscardReason.BUDGET
            return reason

    def _reason(self, facts: TraceFacts, now: float) -> KeepReason | None:
        rules = self._rules
        slow = self._slow(facts)  # asked first, because the running percentile must see every trace
        happened = facts.happened & rules.outcomes
        for outcome, reason in _OUTCOMES:
            if happened & outcome:
                return reason
        if slow:
            return KeepReason.SLOW
        if facts.matched:
            return KeepReason.ATTRIBUTE
        if happened & Happened.NEAR_MISS:
            return KeepReason.NEAR_MISS
        if rules.share_key is not None and self._has_share_left(facts.share, now):
            return KeepReason.SHARE
        return KeepReason.HEAD if rules.head and facts.head_sampled else None

    def _slow(self, facts: TraceFacts) -> bool:
        rules = self._rules
        limit = rules.slower_than.get(facts.kind, rules.slower_than.get("*"))
        slow = limit is not None and facts.seconds > limit
        if rules.slower_than_p99:
            quantile = self._quantiles.get(facts.kind)
            if quantile is None:
                if len(self._quantiles) >= _MOST_KINDS:
                    return slow
                quantile = self._quantiles[facts.kind] = RunningQuantile()
            slow = quantile.exceeded(facts.seconds) or slow
        return slow

    def _has_share_left(self, value: AttributeValue | None, now: float) -> bool:
        if value is None:
            return False
        key = str(value)
        bucket = self._shares.get(key)
        if bucket is None:
            if len(self._shares) >= _MOST_KINDS:
                return False
            bucket = self._shares[key] = _Bucket(self._rules.share_per_minute / 60.0, now)
        return bucket.take(now)
