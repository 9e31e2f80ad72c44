"""Numbers and attributes as JSON may have them."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from ticktrace.engine import text_of
from ticktrace.semconv import SPAN_ONLY_ATTRIBUTES
from ticktrace.web.api._models import Series, Statistic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ticktrace.engine import SeriesTotal
    from ticktrace.measuring import Stats

__all__ = ["attributes_of", "finite", "latest", "series_of", "statistic", "total"]

_MOST_SERIES: Final = 1_000
_LONGEST_TEXT: Final = 200


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it."""
    return None if value is None or not isfinite(value) else float(value)


def statistic(stats: Stats) -> Statistic:
    """Statistics with None in place of NaN."""
    return Statistic(
        count=stats.count,
        mean=finite(stats.mean),
        min=finite(stats.min),
        max=finite(stats.max),
        latest=finite(stats.latest),
        latest_time=finite(stats.latest_time),
        percentiles={
            f"{percent:g}": value for percent, value in stats.percentiles.items() if isfinite(value)
        },
    )


def total(series: Iterable[SeriesTotal]) -> float:
    """The sum over all series, 0 where there are none."""
    return finite(sum(one.value for one in series)) or 0.0


def latest(series: Iterable[SeriesTotal]) -> float | None:
    """The sum of gauges' last values over all series; None where there are none."""
    values = [one.value for one in series]
    return finite(sum(values)) if values else None


def attributes_of(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as text, without ids and free text, which no metric should have in the first place."""
    return {
        key: text_of(value)[:_LONGEST_TEXT]
        for key, value in attributes.items()
        if key not in SPAN_ONLY_ATTRIBUTES and not _names_an_order(key)
    }


def series_of(series: Iterable[SeriesTotal]) -> list[Series]:
    """The first thousand series as they are answered."""
    found: list[Series] = []
    for one in series:
        if len(found) >= _MOST_SERIES:
            break
        found.append(Series(attributes=attributes_of(one.attributes), value=finite(one.value)))
    return found


def _names_an_order(key: str) -> bool:
    words = key.lower().replace("_", ".").replace("-", ".").split(".")
    if words[-1] in {"orderid", "clordid", "clientorderid"}:
        return True
    return words[-1] in {"id", "uuid"} and "order" in words
