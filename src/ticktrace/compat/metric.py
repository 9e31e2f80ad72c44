"""`get_metric(name).labels(...).inc()`: instruments in the manner of prometheus_client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ticktrace.catalog import Kind
from ticktrace.compat._names import written
from ticktrace.engine import contained, report, warn_once
from ticktrace.measuring import Measure, current_target, duration_site, is_duration, keys_of, site_of

if TYPE_CHECKING:
    from ticktrace.catalog import InstrumentSpec
    from ticktrace.compat._names import Written
    from ticktrace.measuring import Site, Target

__all__ = ["BoundMetric", "Metric", "get_metric"]

_MOST_BOUND: Final = 2_000


class BoundMetric:
    """A metric with its labels. Which methods do something is the instrument's kind's to say; others warn.

    OpenTelemetry's gauges cannot be counted up and down, and its up-down counters cannot be set. So this object knows a
    gauge's level, from before telemetry began too, and what the running telemetry was told of an up-down counter.
    """

    def __init__(self, site: Site, factor: float) -> None:
        self._site = site
        self._factor = factor
        self._level = 0.0
        self._told: tuple[Target | None, float] = (None, 0.0)

    def inc(self, amount: float = 1) -> None:
        """Add `amount` to a counter, an up-down counter or a gauge. Never raises."""
        kind = self._site.spec.kind
        if kind is Kind.COUNTER:
            self._write(amount)
        elif kind is Kind.GAUGE:
            self._change_level(amount)
        elif kind is Kind.UP_DOWN_COUNTER:
            self._add(amount)
        else:
            self._wrong("inc")

    def dec(self, amount: float = 1) -> None:
        """Subtract `amount` from an up-down counter or a gauge. Never raises."""
        if self._site.spec.kind is Kind.COUNTER:
            self._wrong("dec")
        else:
            self.inc(-amount)

    def set(self, value: float) -> None:
        """Set a gauge, or an up-down counter. Never raises."""
        kind = self._site.spec.kind
        if kind is Kind.GAUGE:
            self._level = value
            self._write(value)
        elif kind is Kind.UP_DOWN_COUNTER:
            self._add(value, since_told=True)
        else:
            self._wrong("set")

    def observe(self, value: float) -> None:
        """Record a value on a histogram, in the unit that the name says. Never raises."""
        if self._site.spec.kind is Kind.HISTOGRAM:
            self._write(value)
        else:
            self._wrong("observe")

    def time(self) -> Measure:
        """Time a block or a function on a histogram of seconds."""
        spec = self._site.spec
        if not is_duration(spec):
            self._wrong("time")
        return Measure(duration_site(spec, self._site.given))

    def record(self, value: float) -> None:
        """Whatever its kind: add to a counter, set a gauge, observe on a histogram. Never raises."""
        kind = self._site.spec.kind
        if kind is Kind.GAUGE:
            self.set(value)
        elif kind is Kind.UP_DOWN_COUNTER:
            self._add(value)
        else:
            self._write(value)

    @contained(None)
    def _change_level(self, amount: float) -> None:
        self._level += amount
        self._write(self._level)

    @contained(None)
    def _add(self, amount: float, *, since_told: bool = False) -> None:
        target = current_target()
        told = self._told[1] if self._told[0] is target else 0.0
        if since_told:
            amount -= told
        self._told = target, told + amount
        self._write(amount)

    def _write(self, value: float) -> None:
        try:
            self._site.write(value * self._factor)
        except Exception as error:  # noqa: BLE001  a value may be any object
            report("metric.write", error)

    def _wrong(self, method: str) -> None:
        spec = self._site.spec
        warn_once(
            f"metric.{method}.{spec.name}",
            "ticktrace: %s() on %s, which is a %s: nothing is recorded",
            method,
            spec.name,
            spec.kind.value.replace("_", "-"),
        )


class Metric(BoundMetric):
    """An instrument of the catalog; made by `get_metric`. Itself the metric without labels."""

    def __init__(self, named: Written) -> None:
        super().__init__(site_of(named.spec, {}), named.factor)
        self._bound: dict[Any, BoundMetric] = {}

    @property
    def spec(self) -> InstrumentSpec:
        """The instrument's row."""
        return self._site.spec

    def labels(self, **labels: Any) -> BoundMetric:
        """The metric with these labels, by bare word (``strategy``), label or key. Never raises.

        Those that the instrument does not allow are left out with a warning. Keep what is returned where it is hot.
        """
        key = tuple(labels.items())
        try:
            return self._bound[key]
        except (KeyError, TypeError):
            site = site_of(self.spec, keys_of(self.spec, labels, "labels"))
            bound = BoundMetric(site, self._factor)
        try:
            if len(self._bound) < _MOST_BOUND:
                bound = self._bound.setdefault(key, bound)
        except TypeError:  # a value that cannot be hashed
            pass
        return bound


_metrics: dict[str, Metric] = {}


def get_metric(name: str) -> Metric:
    """The metric of that name; the same one each time.

    Args:
        name: an old name (``trades_executed_total``), a name in Prometheus, or the instrument's own.

    Raises:
        CatalogError: no instrument has that name; the message lists names that look like it. Or applications do not record
            it: HTTP and host metrics are recorded by OpenTelemetry's instrumentations, some old counters by the alias rules.

    Example:
        >>> from ticktrace.compat import get_metric
        >>> trades_executed = get_metric("trades_executed_total")
        >>> trades_executed.labels(strategy="sma", symbol="AAPL", side="buy").inc()
    """
    metric = _metrics.get(name)
    if metric is None:
        metric = _metrics.setdefault(name, Metric(written(name)))  # names are the catalog's, so there are few
    return metric
