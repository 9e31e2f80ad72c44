"""One instrument, and all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace import semconv
from ticktrace.engine import text_of
from ticktrace.measuring import NAMES
from ticktrace.web.api._models import Instrument, InstrumentPage, Metric, Point
from ticktrace.web.api._numbers import finite, series_of, statistic, total

if TYPE_CHECKING:
    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import SeriesTotal
    from ticktrace.web.api._handle import ApiHandle

__all__ = ["Metrics"]

_MEASURED = "ticktrace.measure.duration"


class Metrics:
    """Makes the answers about instruments. Every method blocks.

    Args:
        telemetry: what is asked.
    """

    def __init__(self, telemetry: ApiHandle) -> None:
        self._telemetry = telemetry

    def one(self, name: str, *, last_n: int, window: float | None) -> Metric | None:
        """An instrument by any of its names, or code that is measured by the name it was given; None for neither.

        Args:
            name: what is asked for.
            last_n: most points.
            window: only what was recorded within so many seconds.
        """
        spec = self._spec(name)
        if spec is None:
            return self._measured(name, last_n, window)
        series = self._telemetry.totals().get(spec.name.lower(), [])
        return self._metric(spec.name, spec, series, last_n, window)

    def hint(self, name: str) -> str:
        """What may have been meant."""
        return NAMES.hint(name)

    def page(self, page: int, per_page: int) -> InstrumentPage:
        """A page of all instruments that have recorded anything, by name."""
        totals = self._telemetry.totals()
        specs = {spec.name.lower(): spec for spec in list(self._telemetry.catalog.values())}
        names = sorted((totals.keys() | set(self._telemetry.statistics.instruments())) & specs.keys())
        first = (page - 1) * per_page
        return InstrumentPage(
            page=page,
            per_page=per_page,
            pages=-(-len(names) // per_page),
            total=len(names),
            items=[self._row(specs[name], totals.get(name, [])) for name in names[first : first + per_page]],
        )

    def _spec(self, name: str) -> InstrumentSpec | None:
        spec = NAMES.get(name)
        if spec is not None:
            return spec
        wanted = name.strip().lower()
        for own in list(self._telemetry.catalog.values()):
            if wanted in {own.name.lower(), own.prometheus_name}:
                return own
        return None

    def _row(self, spec: InstrumentSpec, series: list[SeriesTotal]) -> Instrument:
        counts = spec.kind != "gauge"
        return Instrument(
            name=spec.name,
            prometheus_name=spec.prometheus_name,
            kind=spec.kind.value,
            unit=spec.unit,
            series=len(series),
            total=total(series) if counts and series else None,
            statistics=statistic(self._telemetry.statistics.of(spec.name)),
        )

    def _metric(
        self,
        name: str,
        spec: InstrumentSpec,
        series: list[SeriesTotal],
        last_n: int,
        window: float | None,
        **attributes: Any,
    ) -> Metric:
        statistics = self._telemetry.statistics
        points: list[tuple[float, float]] = []
        kept = spec.name.lower() in statistics.instruments()  # else the question would be warned of
        if kept:
            points = statistics.points(spec.name, last=last_n, window=window, **attributes)
        stats = statistics.of(spec.name, window=window, last=last_n, **attributes)
        return Metric(
            name=name,
            prometheus_name=spec.prometheus_name,
            kind=spec.kind.value,
            unit=spec.unit,
            description=spec.description,
            window=window,
            statistics=statistic(stats),
            complete=stats.complete,
            points=[Point(time=at, value=finite(value)) for at, value in points],
            series=series_of(series),
        )

    def _measured(self, name: str, last_n: int, window: float | None) -> Metric | None:
        series = [
            one
            for one in self._telemetry.totals().get(_MEASURED, [])
            if text_of(one.attributes.get(semconv.MEASURE_NAME)) == name
        ]
        if not series:
            return None
        spec = self._telemetry.catalog[_MEASURED]
        return self._metric(name, spec, series, last_n, window, **{semconv.MEASURE_NAME: name})
