"""What a row of the catalog is, and the checks that each row must pass."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from ticktrace.catalog._prometheus import series_name
from ticktrace.errors import CatalogError
from ticktrace.semconv import SPAN_ONLY_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "InstrumentSpec",
    "Kind",
    "counter",
    "gauge",
    "group",
    "histogram",
    "make_catalog",
    "up_down_counter",
]

# As in the metrics API's specification, "Instrument name syntax"; the SDK silently ignores an instrument it refuses.
_NAME: Final = re.compile(r"[a-zA-Z][-_./a-zA-Z0-9]{0,254}")
_UNIT: Final = re.compile(r"[\x20-\x7e]{0,63}")


class Kind(StrEnum):
    """The four kinds of instrument; an observable one counts as its synchronous brother."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up_down_counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """One instrument, as everything that speaks of it knows it.

    Attributes:
        name: full OpenTelemetry name, e.g. ``trading.candle.processing.duration``.
        kind: what it counts like.
        unit: UCUM, e.g. ``s``, ``By``, ``1``; an annotation such as ``{order}`` for things counted.
        description: one sentence.
        group: the heading it stands under.
        attributes: keys that a measurement may carry; all of them with few values.
        buckets: upper bounds, inclusive, in `unit`; of a histogram always, of nothing else.
        aliases: names that other systems give it in Prometheus and that recording rules offer as well.
        recorded_by: ``otel`` where an OpenTelemetry instrumentation records it and ticktrace only shapes it.
        max_series: most attribute sets that it may have, of an application's own; None for the general limit.

    Raises:
        CatalogError: a field contradicts another or what OpenTelemetry allows.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    group: str = ""
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] | None = None
    aliases: tuple[str, ...] = ()
    recorded_by: Literal["ticktrace", "otel"] = "ticktrace"
    max_series: int | None = None

    def __post_init__(self) -> None:
        word: object = self.kind
        if not isinstance(word, Kind):  # its word is as good
            known: dict[object, Kind] = {str(kind): kind for kind in Kind}
            if word not in known:
                names = ", ".join(Kind)
                raise CatalogError(
                    f"instrument {self.name!r}: {word!r} is no kind of instrument; known: {names}"
                )
            object.__setattr__(self, "kind", known[word])
        for name in ("attributes", "aliases", "buckets"):  # as lists they could not be compared
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        problem = self._problem()
        if problem:
            raise CatalogError(f"instrument {self.name!r}: {problem}")

    def _problem(self) -> str | None:
        if not _NAME.fullmatch(self.name):
            return "a name starts with a letter, goes on with letters, digits and _ . - /, and has at most 255 of them"
        if not _UNIT.fullmatch(self.unit):
            return f"unit {self.unit!r} is not ASCII of at most 63 characters"
        if not self.description:
            return "has no description"
        if len(set(self.attributes)) != len(self.attributes):
            return f"names an attribute twice: {', '.join(self.attributes)}"
        if unbounded := [key for key in self.attributes if key in SPAN_ONLY_ATTRIBUTES]:
            return f"{', '.join(unbounded)} would make a series of every value; it belongs on spans"
        if (self.buckets is not None) is not (self.kind is Kind.HISTOGRAM):
            return "a histogram has buckets, and nothing else has"
        if self.buckets is not None and not _increasing(self.buckets):
            return "buckets are finite and increase strictly"
        return None

    @property
    def prometheus_name(self) -> str:
        """The series it becomes in Prometheus; a histogram's carry ``_bucket``, ``_sum`` and ``_count`` behind it."""
        # The SDK keeps names in lower case: to OpenTelemetry case does not count.
        return series_name(self.name.lower(), self.unit, counter=self.kind is Kind.COUNTER)

    @property
    def signed(self) -> bool:
        """Whether it is a histogram of values that may be negative, as slippage is."""
        return self.kind is Kind.HISTOGRAM and self.buckets is not None and self.buckets[0] < 0

    @property
    def recorded_as(self) -> Kind:
        """The kind of the OpenTelemetry instrument behind it.

        OTel's histogram refuses negative values (metrics API, "Histogram"). Its up-down counter takes them, and
        `ticktrace.views` turns the measurements of these rows into histograms.
        """
        return Kind.UP_DOWN_COUNTER if self.signed else self.kind

    @property
    def series(self) -> tuple[str, ...]:
        """Every series name it gives rise to in Prometheus."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(self.prometheus_name + suffix for suffix in ("_bucket", "_count", "_sum"))
        return (self.prometheus_name,)


def _increasing(bounds: tuple[float, ...]) -> bool:
    return bool(bounds) and all(map(isfinite, bounds)) and all(low < high for low, high in pairwise(bounds))


def counter(
    name: str, unit: str, description: str, attributes: tuple[str, ...] = (), *aliases: str
) -> InstrumentSpec:
    """A row of the table that only ever grows."""
    return InstrumentSpec(name, Kind.COUNTER, unit, description, attributes=attributes, aliases=aliases)


def up_down_counter(
    name: str, unit: str, description: str, attributes: tuple[str, ...] = (), *aliases: str
) -> InstrumentSpec:
    """A row of the table that is summed and may fall."""
    return InstrumentSpec(
        name, Kind.UP_DOWN_COUNTER, unit, description, attributes=attributes, aliases=aliases
    )


def gauge(
    name: str, unit: str, description: str, attributes: tuple[str, ...] = (), *aliases: str
) -> InstrumentSpec:
    """A row of the table whose last value is what matters."""
    return InstrumentSpec(name, Kind.GAUGE, unit, description, attributes=attributes, aliases=aliases)


def histogram(
    name: str,
    unit: str,
    description: str,
    buckets: tuple[float, ...],
    attributes: tuple[str, ...] = (),
    *aliases: str,
) -> InstrumentSpec:
    """A row of the table whose distribution matters."""
    return InstrumentSpec(
        name, Kind.HISTOGRAM, unit, description, attributes=attributes, buckets=buckets, aliases=aliases
    )


def group(
    name: str, *rows: InstrumentSpec, recorded_by: Literal["ticktrace", "otel"] = "ticktrace"
) -> tuple[InstrumentSpec, ...]:
    """Put rows under one heading."""
    return tuple(replace(row, group=name, recorded_by=recorded_by) for row in rows)


def make_catalog(rows: Iterable[InstrumentSpec]) -> Mapping[str, InstrumentSpec]:
    """A catalog by name, in the order given, read-only.

    An application that has instruments of its own makes a larger one, and gives it to what takes a catalog::

        MINE = InstrumentSpec("acme.hedge.ratio", Kind.GAUGE, "1", "Part of the exposure that is hedged.", "hedging")
        catalog = make_catalog([*CATALOG.values(), MINE])

    Raises:
        CatalogError: two rows share a name, in OpenTelemetry (case does not count) or in Prometheus.
    """
    catalog: dict[str, InstrumentSpec] = {}
    taken: dict[str, str] = {}
    for row in rows:
        names = dict.fromkeys((row.name.lower(), *row.series, *row.aliases), row.name)
        for name in names:
            if name in taken:
                raise CatalogError(f"instrument {row.name!r}: {name} is {taken[name]!r} already")
        taken |= names
        catalog[row.name] = row
    return MappingProxyType(catalog)
