"""What is wrong with settings that name instruments, before anything is recorded."""

from __future__ import annotations

from collections import defaultdict
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from ticktrace.catalog import CATALOG, InstrumentSpec, Kind
from ticktrace.errors import SettingsError
from ticktrace.semconv import METRIC_ATTRIBUTES, SPAN_ONLY_ATTRIBUTES
from ticktrace.views._build import build_views, streams_of_row
from ticktrace.views._layers import layers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ticktrace.settings import MetricsSettings, SloSettings, ViewSettings

__all__ = ["check_instruments"]

# Namespaces that the catalog fills; in any other one a name that it lacks may well exist.
_OURS: Final = ("trading.", "ticktrace.")


def check_instruments(
    slo: SloSettings, metrics: MetricsSettings, catalog: Mapping[str, InstrumentSpec] = CATALOG
) -> list[str]:
    """What is wrong with the instruments and attributes that the settings name.

    Returns:
        One line a problem, each with its place and what is allowed; none when all is well. They fit into a
        `SettingsError`.
    """
    problems = [*_thresholds(slo, catalog)]
    for index, view in enumerate(metrics.views):
        problems += [f"metrics.views[{index}]: {problem}" for problem in _view(view, catalog)]
    try:
        build_views(metrics, slo, catalog)
    except SettingsError as error:
        return [*problems, *error.problems]
    return [*problems, *dict.fromkeys(_streams(slo, metrics, catalog))]


def _thresholds(slo: SloSettings, catalog: Mapping[str, InstrumentSpec]) -> Iterator[str]:
    histograms = [name for name, spec in catalog.items() if spec.kind is Kind.HISTOGRAM]
    for name in slo.thresholds:
        spec = catalog.get(name)
        if spec is None:
            yield f'slo.thresholds["{name}"]: unknown instrument; {_suggestion(name, histograms)}'
        elif spec.kind is not Kind.HISTOGRAM:
            yield f'slo.thresholds["{name}"]: is a {_words(spec.kind)}; thresholds are for histograms'


def _view(view: ViewSettings, catalog: Mapping[str, InstrumentSpec]) -> Iterator[str]:
    name = view.instrument
    spec = catalog.get(name)
    if spec is not None:
        yield from _exact_view(view, spec)
    elif view.meter is None and name.startswith(_OURS):
        if "*" in name or "?" in name:
            if not any(fnmatchcase(known.lower(), name.lower()) for known in catalog):
                yield f'instrument "{name}": matches nothing in the catalog; give `meter` if it is your own'
        elif get_close_matches(name, catalog, 1, 0.85):
            yield f'instrument "{name}": unknown; {_suggestion(name, catalog)} Give `meter` if it is your own.'
    for key in view.keep_attributes or ():
        if key in SPAN_ONLY_ATTRIBUTES:
            yield f'keep_attributes: "{key}" has no bound and stands on spans only'
        elif key.startswith(_OURS) and key not in METRIC_ATTRIBUTES and not _declared(key, catalog):
            yield f'keep_attributes: unknown attribute "{key}"; {_suggestion(key, METRIC_ATTRIBUTES)}'


def _exact_view(view: ViewSettings, spec: InstrumentSpec) -> Iterator[str]:
    place = f'instrument "{spec.name}"'
    if (view.buckets is not None or view.exponential) and spec.kind is not Kind.HISTOGRAM:
        yield f"{place}: is a {_words(spec.kind)}; buckets are for histograms"
    if view.kind not in {None, spec.kind}:
        yield f"{place}: is a {_words(spec.kind)}, so a view with kind {view.kind} never applies"
    if view.unit is not None and not fnmatchcase(spec.unit, view.unit):
        yield f'{place}: has the unit "{spec.unit}", so a view with unit "{view.unit}" never applies'


def _streams(
    slo: SloSettings, metrics: MetricsSettings, catalog: Mapping[str, InstrumentSpec]
) -> Iterator[str]:
    """What only shows once all views are laid over one another."""
    layers = layers_of(metrics.views)
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for view in metrics.views:
        if view.rename is not None:
            owners[view.rename.lower()].add(view.instrument)
    renamed = frozenset(owners)
    for spec in catalog.values():
        for stream, _, _ in streams_of_row(spec, layers, slo):
            if spec.name in slo.thresholds and (stream.dropped or stream.exponential is not None):
                what = "drops it" if stream.dropped else "makes it exponential, without a boundary there"
                yield f'slo.thresholds["{spec.name}"]: one of metrics.views {what}'
            if not stream.dropped and stream.name is None:
                owners[spec.name.lower()].add(spec.name)
    for name in sorted(renamed):
        if len(owners[name]) > 1:
            yield f'metrics.views: {", ".join(sorted(owners[name]))} would all be exported as "{name}"'


def _declared(key: str, catalog: Mapping[str, InstrumentSpec]) -> bool:
    return any(key in spec.attributes for spec in catalog.values())


def _words(kind: Kind) -> str:
    return kind.replace("_", "-", 1).replace("_", " ")


def _suggestion(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), 1, 0.6)
    return f'did you mean "{close[0]}"?' if close else "see docs/reference/instruments.md"
