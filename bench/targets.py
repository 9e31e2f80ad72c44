"""What is aimed at: the figures that decide whether the deferred engine is good enough to be the default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.interleaved import Row

__all__ = ["TARGETS", "Target", "judged"]


@dataclass(frozen=True)
class Target:
    """The most that a row may show.

    Attributes:
        words: what the row is, for the table.
        ratio: ours ÷ theirs, by column.
        ours: ours, in ns or the row's unit.
    """

    words: str
    ratio: Mapping[str, float] = field(default_factory=dict)
    ours: float | None = None

    def __str__(self) -> str:
        parts = [_most(name, most) for name, most in self.ratio.items()]
        if self.ours is not None:
            parts.append(f"{self.ours / 1e6:g} ms" if self.ours else "0")
        return ", ".join(parts)


def _most(name: str, most: float) -> str:
    if most < 1:
        return f"1/{1 / most:.0f} of {name}"
    return f"{name} + {most - 1:.0%}" if most > 1 else name


TARGETS = {
    "histogram.record.bound": Target(
        "bound histogram record, total", {"sdk": 1 / 50, "prometheus_client": 1 / 5}
    ),
    "counter.add.bound": Target("bound counter add, total", {"sdk": 1 / 80, "prometheus_client": 1 / 4}),
    "histogram.record": Target("OTel's record with three attributes, total", {"sdk": 1 / 12}),
    "candle.dropped.hot": Target("candle pipeline, not kept, hot", {"sdk": 1 / 30, "prometheus_client": 1.0}),
    "candle.dropped.cold": Target("candle pipeline, not kept, cold", {"sdk": 1 / 12}),
    "candle.kept": Target("candle pipeline, kept, caller's side", {"sdk": 1 / 20}),
    "span.current": Target("current span, five attributes, caller's side", {"sdk": 1 / 8}),
    "diagnostics.check": Target("a condition checked in a signal, caller's side", {"sdk": 1 / 30}),
    "diagnostics.record_filter": Target("a filter recorded anywhere, caller's side", {"sdk": 1 / 30}),
    "wakeup.p99": Target("wake-up lateness, 99th percentile", {"sdk": 1 / 5}, ours=1e6),
    "gc.full_collections": Target("full collections by 20,000 candles", ours=0),
    "report.line": Target("a line of a long journal, reported", ours=12_000),
    "bot.overhead": Target("bot on real candles, ns a candle", {"off": 1.10}),
}
"""By the names of the rows."""


def judged(row: Row) -> Row:
    """The row with its target, if it has one: `at_most`, and whether it is `met`.

    Where somebody to be compared with is missing, `met` is about the others; None when there is nothing to go by.
    """
    target = TARGETS.get(row["name"])
    if target is None:
        return row
    at_most = dict(target.ratio)
    verdicts = [row["ratio"][name] <= most for name, most in at_most.items() if name in row["ratio"]]
    if target.ours is not None:
        at_most["ours"] = target.ours
        verdicts.append(row["ours_ns"] <= target.ours)
    return {**row, "what": target.words, "at_most": at_most, "met": all(verdicts) if verdicts else None}
