"""Catalog rows and layers of user views, made into OpenTelemetry's views."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.view import (
    Aggregation,
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)

from ticktrace.catalog import CATALOG, InstrumentSpec
from ticktrace.views._layers import KINDS, Layer, layers_of, meetings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from opentelemetry.metrics import Instrument

    from ticktrace.settings import MetricsSettings, SloSettings, ViewSettings

__all__ = ["Stream", "build_views", "streams_of", "streams_of_row"]


@dataclass(frozen=True, slots=True)
class Stream:
    """What is known so far about how an instrument is exported; None and False leave it to the SDK."""

    name: str | None = None
    description: str | None = None
    dropped: bool = False
    buckets: tuple[float, ...] | None = None
    exponential: tuple[int, int] | None = None
    attributes: frozenset[str] | None = None
    thresholds: tuple[float, ...] = ()

    def under(self, layers: Iterable[Layer]) -> Stream:
        """With the user's views laid over it."""
        stream = self
        for layer in layers:
            stream = stream._with(layer.settings)
        return stream

    def _with(self, view: ViewSettings) -> Stream:
        stream = replace(
            self,
            name=view.rename or self.name,
            description=view.description or self.description,
            dropped=view.drop,
            attributes=self.attributes if view.keep_attributes is None else frozenset(view.keep_attributes),
        )
        if view.exponential:
            return replace(stream, exponential=(view.max_size, view.max_scale))
        if view.buckets is not None:
            return replace(stream, buckets=view.buckets, exponential=None)
        return stream

    def aggregation(self) -> Aggregation | None:
        """What the SDK shall make of the measurements; None for its default."""
        if self.dropped:
            return DropAggregation()
        if self.exponential is not None:
            return ExponentialBucketHistogramAggregation(*self.exponential)
        if self.buckets is not None:
            return ExplicitBucketHistogramAggregation(sorted({*self.buckets, *self.thresholds}))
        return None


class _SoleView(View):
    """A view for the instruments that exactly these layers match, and so never together with another one of ours.

    The SDK has no selector that says "and no other view". It asks every view `_match`, which is what this overrides.
    """

    def __init__(
        self,
        stream: Stream,
        name: str,
        *,
        types: tuple[type[Instrument], ...] = (),
        present: Sequence[Layer] = (),
        absent: Sequence[Layer] = (),
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(
            instrument_name=name,
            name=None if stream.dropped else stream.name,
            description=stream.description,
            attribute_keys=None if stream.attributes is None else set(stream.attributes),
            aggregation=stream.aggregation(),
        )
        self._types = types
        self._present = present
        self._absent = absent
        self._reserved = reserved

    def _match(self, instrument: Any) -> bool:
        return (
            super()._match(instrument)
            and instrument.name not in self._reserved
            and all(layer.matches(instrument) for layer in self._present)
            and not any(layer.matches(instrument) for layer in self._absent)
            and (not self._types or isinstance(instrument, self._types))
        )


def build_views(
    metrics: MetricsSettings, slo: SloSettings, catalog: Mapping[str, InstrumentSpec] = CATALOG
) -> list[View]:
    """The views to give to a meter provider; they never give an instrument two streams.

    Args:
        metrics: its `views` are the user's.
        slo: its `thresholds` and `objectives` name histograms, in their unit.
        catalog: the rows to shape; with rows of one's own see `ticktrace.catalog.make_catalog`.

    Raises:
        SettingsError: the user's wildcards may overlap in too many ways. `check_instruments` finds that and more.
    """
    layers = layers_of(metrics.views)
    views: list[View] = []
    for spec in catalog.values():
        for stream, present, absent in streams_of_row(spec, layers, slo):
            if stream != Stream():
                views.append(
                    _SoleView(
                        stream, spec.name, types=KINDS[spec.recorded_as], present=present, absent=absent
                    )
                )
    ours = frozenset(name.lower() for name in catalog)
    foreign = [layer for layer in layers if layer.pattern not in ours]
    named = frozenset(layer.pattern for layer in foreign if not layer.is_wildcard)
    for name in sorted(named):
        views += _foreign_views(name, [layer for layer in foreign if fnmatchcase(name, layer.pattern)])
    views += _foreign_views("*", [layer for layer in foreign if layer.is_wildcard], ours | named)
    return views


def streams_of(spec: InstrumentSpec, metrics: MetricsSettings, slo: SloSettings) -> list[Stream]:
    """The ways in which a row may be exported; one, unless user views ask for a meter.

    Raises:
        SettingsError: see `build_views`.
    """
    return [stream for stream, _, _ in streams_of_row(spec, layers_of(metrics.views), slo)]


def streams_of_row(
    spec: InstrumentSpec, layers: Sequence[Layer], slo: SloSettings
) -> Iterator[tuple[Stream, tuple[Layer, ...], tuple[Layer, ...]]]:
    """How a row may be exported, with the layers that must match for it and those that must not.

    More than one way only where user views ask for a meter, which no row knows.
    """
    base = Stream(
        buckets=spec.buckets,
        attributes=None if spec.recorded_by == "otel" else frozenset(spec.attributes),
        thresholds=slo.boundaries(spec.name),
    )
    candidates = [layer for layer in layers if layer.is_for(spec)]
    uncertain = [layer for layer in candidates if layer.settings.meter is not None]
    for present in meetings(candidates, certain=lambda layer: layer.settings.meter is None):
        required = tuple(layer for layer in present if layer in uncertain)
        yield base.under(present), required, tuple(layer for layer in uncertain if layer not in present)


def _foreign_views(
    name: str, layers: Sequence[Layer], reserved: frozenset[str] = frozenset()
) -> Iterator[_SoleView]:
    def certain(layer: Layer) -> bool:
        return layer.pattern in {name, "*"} and not layer.depends_on_the_instrument

    for present in meetings(layers, certain=certain):
        stream = Stream().under(present)
        if stream != Stream():
            absent = [layer for layer in layers if layer not in present]
            yield _SoleView(stream, name, present=present, absent=absent, reserved=reserved)
