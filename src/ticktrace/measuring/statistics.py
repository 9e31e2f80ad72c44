"""Statistics of what was recorded lately, asked in process: exact, over the last values that are kept.

A percentile is the nearest rank: the smallest of the values such that so many percent of them are not above it. So it is
a value that was really recorded, not one between two.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import ceil, nan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ticktrace import semconv
from ticktrace.catalog import attribute_key
from ticktrace.engine import attempt, report, text_of, warn_once
from ticktrace.measuring._sites import MEASURED, NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ticktrace.engine import Kept, Recent
    from ticktrace.settings import RecentSettings

__all__ = ["Statistics", "Stats"]

_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stats:
    """What the values of one or several series were like. All figures but `count` are NaN where there are no values.

    Attributes:
        count: how many values.
        mean, min, max: of them, in the instrument's unit.
        latest: the newest.
        latest_time: when it was recorded, Unix seconds.
        percentiles: by percent, as in ``{50.0: 0.004, 99.0: 0.021}``.
        complete: whether these are all values of the window; False where some were forgotten to make room for newer ones.
        attributes: those that all values share: of the series, or what was asked for where several are merged.
    """

    count: int = 0
    mean: float = nan
    min: float = nan
    max: float = nan
    latest: float = nan
    latest_time: float = nan
    percentiles: Mapping[float, float] = field(default_factory=dict)
    complete: bool = True
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def p50(self) -> float:
        """The median; NaN where the percentile was not asked for."""
        return self.percentiles.get(50.0, nan)

    @property
    def p95(self) -> float:
        """The 95th percentile; see `p50`."""
        return self.percentiles.get(95.0, nan)

    @property
    def p99(self) -> float:
        """The 99th percentile; see `p50`."""
        return self.percentiles.get(99.0, nan)

    @property
    def p999(self) -> float:
        """The 99.9th percentile; see `p50`."""
        return self.percentiles.get(99.9, nan)


class Statistics:
    """Answers what the last values were like; reached as `Telemetry.statistics`.

    Args:
        recent: gives what is kept; None where nothing is.
        settle: brings in what the engine has recorded and not handed on yet.
        settings: the windows and percentiles that are meant when none are named.
    """

    def __init__(
        self, recent: Callable[[], Recent | None], settle: Callable[[], object], settings: RecentSettings
    ) -> None:
        self._recent = recent
        self._settle = settle
        self._settings = settings

    def of(
        self,
        name: str,
        /,
        *,
        window: float | None = None,
        last: int | None = None,
        percentiles: Sequence[float] | None = None,
        settle: bool = True,
        **attributes: Any,
    ) -> Stats:
        """Statistics over all series of an instrument that have these attributes. Never raises.

        Not for the hot path: it copies what is kept, up to 10,000 values a series, and looks through it.

        Args:
            name: a histogram by any of its names, or what was given to `ticktrace.measure`.
            window: only what was recorded within so many seconds; all that is kept by default.
            last: only the newest so many.
            percentiles: percents above 0 and up to 100; those of the settings by default.
            settle: whether what waits in the engine's buffers is brought in first, which is done on the calling thread.
                Without, up to 100 ms may be missing on the deferred engine.
            attributes: by bare word, or by key as ``**{"trading.symbol": …}``.
        """
        try:
            kept, asked = self._found(name, attributes, settle=settle)
            return self._summary(kept, asked, window, last, percentiles)
        except Exception as error:  # noqa: BLE001  the bot may ask, too, and with anything
            report("statistics.of", error)
            return Stats()

    def by_series(
        self,
        name: str,
        /,
        *,
        window: float | None = None,
        last: int | None = None,
        percentiles: Sequence[float] | None = None,
        settle: bool = True,
        **attributes: Any,
    ) -> list[Stats]:
        """As `of`, each series for itself, those with most values first; a series without values is left out."""
        try:
            kept, _ = self._found(name, attributes, settle=settle)
            each = [self._summary([one], one.attributes, window, last, percentiles) for one in kept]
        except Exception as error:  # noqa: BLE001  see of
            report("statistics.by_series", error)
            return []
        return sorted((stats for stats in each if stats.count), key=lambda stats: -stats.count)

    def points(
        self,
        name: str,
        /,
        *,
        last: int,
        window: float | None = None,
        **attributes: Any,
    ) -> list[tuple[float, float]]:
        """The newest so many values with when they were recorded, in Unix seconds, the oldest first; see `of`."""
        try:
            kept, _ = self._found(name, attributes, settle=True)
            recent = self._recent()
            if recent is None or not kept:
                return []
            now, wall = recent.now(), time.time()
            times = np.concatenate([one.times for one in kept])
            values = np.concatenate([one.values for one in kept])
            if window is not None:
                inside = times >= now - float(window) * _SECOND
                times, values = times[inside], values[inside]
            newest = np.argsort(times, kind="stable")[max(len(times) - max(last, 0), 0) :]
            return [(wall - (now - int(times[at])) / _SECOND, float(values[at])) for at in newest]
        except Exception as error:  # noqa: BLE001  see of
            report("statistics.points", error)
            return []

    def windows(self, name: str, /, **attributes: Any) -> dict[float, Stats]:
        """As `of`, for each window of the settings, by its seconds: 1, 5 and 60 by default."""
        try:
            kept, asked = self._found(name, attributes, settle=True)
            return {window: self._summary(kept, asked, window) for window in self._settings.windows}
        except Exception as error:  # noqa: BLE001  see of
            report("statistics.windows", error)
            return {}

    def instruments(self) -> tuple[str, ...]:
        """The instruments of which values are kept."""
        recent = self._recent()
        return () if recent is None else recent.instruments()

    def clear(self) -> None:
        """Forget all values that were recorded so far; what is exported does not change."""
        recent = self._recent()
        if recent is not None:
            attempt("statistics.settle", self._settle)
            recent.clear()

    @property
    def refused(self) -> int:
        """How many values were not kept because there were too many series (``metrics.recent.series``)."""
        recent = self._recent()
        return 0 if recent is None else recent.refused

    def keep(self, instrument: str, attributes: Mapping[str, Any], value: float) -> None:
        """Keep a value of an instrument that is no histogram, and so is not kept by the engine. Never raises."""
        recent = self._recent()
        if recent is not None:
            recent.add_one(instrument, attributes, value)

    def _found(
        self, name: str, attributes: Mapping[str, Any], *, settle: bool
    ) -> tuple[list[Kept], dict[str, Any]]:
        recent = self._recent()
        if recent is None:
            return [], {}
        if settle:
            attempt("statistics.settle", self._settle)
        instrument, asked = self._resolved(recent, text_of(name), attributes)
        series = recent.select(instrument)
        return [one for one in series if _has(one.attributes, asked)], asked

    @staticmethod
    def _resolved(recent: Recent, name: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        spec = NAMES.get(name)
        if spec is None and name.lower() in recent.instruments():
            return name.lower(), dict(attributes)
        asked: dict[str, Any] = {}
        if spec is None:
            spec, asked = MEASURED, {semconv.MEASURE_NAME: name}
            if all(one.get(semconv.MEASURE_NAME) != name for one in recent.attributes_of(spec.name)):
                warn_once(
                    f"statistics.{name:.40}",
                    "ticktrace: there are no statistics of %r: no instrument and no measured code is called so%s",
                    name,
                    NAMES.hint(name),
                )
        for word, value in attributes.items():
            key = attribute_key(spec, word)
            if key is None:
                warn_once(
                    f"statistics.{spec.name}.{word:.40}",
                    "ticktrace: statistics of %s: it has no attribute %r, so nothing is found; it has %s",
                    spec.name,
                    word,
                    ", ".join(spec.attributes) or "none",
                )
            asked[key or word] = value
        return spec.name.lower(), asked

    def _summary(
        self,
        kept: Sequence[Kept],
        attributes: Mapping[str, Any],
        window: float | None = None,
        last: int | None = None,
        percentiles: Sequence[float] | None = None,
    ) -> Stats:
        recent = self._recent()
        if recent is None or not kept:
            return Stats(attributes=attributes)
        now = recent.now()
        values = np.concatenate([one.values for one in kept])
        times = np.concatenate([one.times for one in kept])
        forgotten = any(one.recorded > len(one.values) for one in kept)
        complete = not forgotten
        if window is not None:
            since = now - float(window) * _SECOND
            complete = complete or all(
                one.recorded == len(one.values) or one.times[0] < since for one in kept
            )
            inside = times >= since
            values, times = values[inside], times[inside]
        if len(kept) > 1:
            order = np.argsort(times, kind="stable")
            values, times = values[order], times[order]
        if last is not None:
            complete = complete or len(values) >= last
            first = max(len(values) - max(last, 0), 0)
            values, times = values[first:], times[first:]
        if not len(values):
            return Stats(attributes=attributes, complete=complete)
        asked = self._settings.percentiles if percentiles is None else percentiles
        return Stats(
            count=len(values),
            mean=float(values.mean()),
            min=float(values.min()),
            max=float(values.max()),
            latest=float(values[-1]),
            latest_time=time.time() - (now - int(times[-1])) / _SECOND,
            percentiles=_percentiles(values, asked),
            complete=complete,
            attributes=attributes,
        )


def _percentiles(values: NDArray[np.float64], percents: Sequence[float]) -> dict[float, float]:
    # 99.9 is not a binary fraction: rounding the product keeps rank 999 of 1,000 from becoming 1,000.
    ranks = {
        float(percent): min(max(ceil(round(percent * len(values) / 100, 9)), 1), len(values)) - 1
        for percent in percents
    }
    if not ranks:
        return {}
    ordered = np.partition(values, sorted(set(ranks.values())))
    return {percent: float(ordered[rank]) for percent, rank in ranks.items()}


def _has(attributes: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    return all(
        key in attributes and text_of(attributes[key]) == text_of(value) for key, value in asked.items()
    )
