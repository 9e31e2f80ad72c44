"""Silences for the report: whose, how long, and because of what."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Final

from ticktrace.reports.funnel import span
from ticktrace.reports.model import Cause, Silence, SilentStretch
from ticktrace.reports.silence import MOST_CAUSES, Stretch
from ticktrace.reports.words import condition_name, duration, percent

if TYPE_CHECKING:
    from ticktrace.reports import silence
    from ticktrace.reports.silence import Book, PairKey, Said

__all__ = ["MOST_SILENCES", "silences"]

MOST_SILENCES: Final = 500


def silences(book: Book) -> list[Silence]:
    """Return the silences, wider ones before their parts, the longest current one first."""
    pairs = {key: _current_of(said) for key, said in book.pairs.items()}
    strategies = {strategy for strategy, _ in pairs if strategy is not None}
    if len(strategies) == 1:
        # One strategy's silence is the bot's, so filters, which have no strategy, belong to it.
        _join(pairs, next(iter(strategies)))
    symbols = Counter(strategy for strategy, symbol in pairs if symbol is not None)
    for strategy, count in symbols.items():
        if count == 1:
            pairs.pop((strategy, None), None)
    rows = [_row(key, said) for key, said in pairs.items()]
    rows.sort(
        key=lambda row: (
            row.symbol is not None,
            -row.current.span.seconds,
            row.strategy or "",
            row.symbol or "",
        )
    )
    return rows[:MOST_SILENCES]


def _current_of(said: Said) -> Said:
    """Return what is known, where another process signalled since the stretch began: then nobody knows what failed."""
    if said.signalled is None or said.signalled <= said.current.start:
        return said
    return dataclasses.replace(said, current=Stretch(said.signalled, max(said.signalled, said.current.end)))


def _join(pairs: dict[PairKey, Said], strategy: str) -> None:
    for key in [key for key in pairs if key[0] is None]:
        filters, said = pairs[key], pairs.get((strategy, key[1]))
        if said is None:
            continue
        del pairs[key]
        pairs[strategy, key[1]] = dataclasses.replace(
            said,
            current=_together(said.current, filters.current),
            longest=_together(said.longest, filters.longest),
        )


def _together(one: Stretch, other: Stretch) -> Stretch:
    shared = min(one.end, other.end) - max(one.start, other.start)
    if shared < 0.9 * max(one.seconds, other.seconds):
        return one
    causes = sorted((*one.causes, *other.causes), key=lambda cause: cause.failed / cause.asked, reverse=True)
    return dataclasses.replace(one, causes=tuple(causes[:MOST_CAUSES]))


def _row(key: PairKey, said: Said) -> Silence:
    return Silence(
        strategy=key[0],
        symbol=key[1],
        signals=said.signals,
        last_signal=said.signalled,
        longest=_stretch(said.longest),
        current=_stretch(said.current),
        text=_sentence(key, said),
    )


def _stretch(stretch: Stretch) -> SilentStretch:
    return SilentStretch(
        span(stretch.start, stretch.end), stretch.evaluations, [_cause(cause) for cause in stretch.causes]
    )


def _cause(cause: silence.Cause) -> Cause:
    key = cause.condition
    return Cause(
        component=key.component,
        stage=key.stage,
        strategy=key.strategy,
        name=key.name,
        comparison=key.comparison,
        asked=cause.asked,
        failed=cause.failed,
        share=cause.failed / cause.asked,
        median_ratio=cause.ratio,
    )


def _sentence(key: PairKey, said: Said) -> str:
    strategy, symbol = key
    whose = " ".join(
        part
        for part in (
            None if strategy is None else f"of {strategy}",
            None if symbol is None else f"on {symbol}",
        )
        if part
    )
    if said.signalled is not None and said.current.seconds <= 0:
        return f"the newest line is of a signal {whose}".rstrip()
    text = f"no signal {whose} for {duration(said.current.seconds)}".replace("  ", " ")
    causes = [_failed(cause) for cause in said.current.causes[:2]]
    if causes:
        return f"{text}: {'; '.join(causes)}"
    if not said.current.evaluations:
        return f"{text}: no strategy was asked"
    return text


def _failed(cause: silence.Cause) -> str:
    text = f"{condition_name(cause.condition.name, None)} failed {percent(cause.failed / cause.asked)}"
    # A part of the threshold says something only where both have the same sign.
    if cause.ratio is None or cause.ratio < 0:
        return text
    return f"{text}, median {cause.ratio:.2g} of the threshold"
