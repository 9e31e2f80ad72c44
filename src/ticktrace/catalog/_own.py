"""Rows that an application declares itself: checked like ours, and against ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ticktrace.catalog._buckets import NAMED
from ticktrace.catalog._prometheus import label_name
from ticktrace.catalog._spec import InstrumentSpec, Kind, make_catalog
from ticktrace.errors import CatalogError
from ticktrace.semconv import METRIC_ATTRIBUTES, SPAN_ONLY_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ticktrace.settings import InstrumentSettings

__all__ = ["own_row", "own_settings", "problems_of_own", "with_own"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_KEY: Final = _NAME
# Namespaces that the catalog fills, now and in later versions.
_OURS: Final = ("trading.", "ticktrace.")
_RESERVED_LABELS: Final = frozenset(
    {"le", "quantile", "otel_metric_overflow", "otel_scope_name", "job", "instance"}
)
_MOST_BUCKETS: Final = 100
_UNITS: Final = {
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "s"),
    **dict.fromkeys(("millisecond", "milliseconds", "msec"), "ms"),
    **dict.fromkeys(("minute", "minutes"), "min"),
    **dict.fromkeys(("byte", "bytes", "b", "B"), "By"),
    **dict.fromkeys(("percent", "pct"), "%"),
    **dict.fromkeys(("ratio", "count", "number", "none", ""), "1"),
}


def with_own(
    instruments: Mapping[str, InstrumentSettings], catalog: Mapping[str, InstrumentSpec]
) -> tuple[dict[str, InstrumentSpec], list[str]]:
    """The catalog and the rows of the settings.

    Args:
        instruments: the setting ``metrics.instruments``.
        catalog: what they join.

    Returns:
        All rows that are right, and what is wrong with the others: one line a problem, which begins with its place.
    """
    together = dict(catalog)
    problems = []
    for name, settings in instruments.items():
        place = f'metrics.instruments["{name}"]'
        try:
            row = own_row(name, settings)
        except CatalogError as error:
            problems.append(f"{place}: {_without_place(error)}")
            continue
        found = problems_of_own(row, together)
        problems += [f"{place}: {problem}" for problem in found]
        if not found:
            together[name] = row
    return together, problems


def own_row(name: str, settings: InstrumentSettings) -> InstrumentSpec:
    """The row that the settings declare.

    Raises:
        CatalogError: fields contradict each other, or there is no set of buckets of that name.
    """
    buckets = settings.buckets
    if isinstance(buckets, str):
        if buckets not in NAMED:
            raise CatalogError(f"buckets: no set is called {buckets!r}; known: {', '.join(NAMED)}")
        buckets = NAMED[buckets]
    kind = Kind(settings.kind)
    if kind is Kind.HISTOGRAM and buckets is None:
        raise CatalogError(
            f"a histogram needs buckets: a list of bounds, or the name of a set ({', '.join(NAMED)})"
        )
    return InstrumentSpec(
        name,
        kind,
        settings.unit,
        settings.description,
        settings.group,
        settings.attributes,
        buckets,
        settings.aliases,
        max_series=settings.max_series,
    )


def own_settings(row: InstrumentSpec) -> dict[str, Any]:
    """A row as the settings have it, without its name."""
    return {
        "kind": row.kind.value,
        "unit": row.unit,
        "description": row.description,
        "attributes": list(row.attributes),
        "buckets": None if row.buckets is None else list(row.buckets),
        "max_series": row.max_series,
        "group": row.group or "custom",
        "aliases": list(row.aliases),
    }


def problems_of_own(row: InstrumentSpec, catalog: Mapping[str, InstrumentSpec]) -> list[str]:
    """What is wrong with a row of an application's own, beyond what `InstrumentSpec` refuses.

    Args:
        row: the row.
        catalog: the rows that it joins.
    """
    found = [*_name(row), *_unit(row), *_attributes(row.attributes)]
    if row.buckets is not None and len(row.buckets) > _MOST_BUCKETS:
        found.append(
            f"has {len(row.buckets)} buckets, more than {_MOST_BUCKETS}: each is a series of its own"
        )
    if not found:
        try:
            make_catalog([*catalog.values(), row])
        except CatalogError as error:
            found.append(f"clashes with the catalog: {_without_place(error)}")
    return found


def _name(row: InstrumentSpec) -> Iterator[str]:
    if not _NAME.fullmatch(row.name):
        yield "a name is lower case, words joined by _ and namespaces by dots, such as acme.hedge.ratio"
    elif row.name.startswith(_OURS):
        yield "names under trading. and ticktrace. are the catalog's; use a namespace of your own"


def _unit(row: InstrumentSpec) -> Iterator[str]:
    meant = _UNITS.get(row.unit)
    if meant is not None:
        yield f"unit {row.unit!r} is not UCUM; did you mean {meant!r}?"


def _attributes(keys: Sequence[str]) -> Iterator[str]:
    labels: dict[str, str] = {}
    for key in keys:
        label = label_name(key)
        if key in SPAN_ONLY_ATTRIBUTES:
            yield f"attribute {key!r} has no bound and stands on spans only"
        elif not _KEY.fullmatch(key):
            yield f"attribute {key!r} is not lower case, words joined by _ and namespaces by dots"
        elif key.startswith(_OURS) and key not in METRIC_ATTRIBUTES:
            yield f"attribute {key!r} is not one of the catalog's; use a namespace of your own"
        elif label in _RESERVED_LABELS:
            yield f"attribute {key!r} would be the label {label!r}, which Prometheus uses itself"
        elif label in labels:
            yield f"attributes {labels[label]!r} and {key!r} would both be the label {label!r} in Prometheus"
        labels.setdefault(label, key)


def _without_place(error: CatalogError) -> str:
    """A catalog's complaint without the instrument's name, which the place has."""
    return re.sub(r"^instrument '[^']*': ", "", str(error))
