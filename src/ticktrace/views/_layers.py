"""The user's views, ordered, and which of them may meet on one instrument."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import (
    Counter,
    Histogram,
    Instrument,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.metrics import _Gauge as Gauge

from ticktrace.catalog import InstrumentSpec, Kind
from ticktrace.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ticktrace.settings import ViewSettings

__all__ = ["KINDS", "Layer", "layers_of", "meetings"]

KINDS: Final[Mapping[str, tuple[type[Instrument], ...]]] = {
    Kind.COUNTER: (Counter, ObservableCounter),
    Kind.UP_DOWN_COUNTER: (UpDownCounter, ObservableUpDownCounter),
    Kind.HISTOGRAM: (Histogram,),
    Kind.GAUGE: (Gauge, ObservableGauge),
}

# Every set of views that may meet becomes one of OpenTelemetry's, which are tried one by one for each new instrument.
_MOST_MEETINGS: Final = 512


@dataclass(frozen=True, slots=True, eq=False)  # two views that say the same are still two layers
class Layer:
    """One of the user's views, or the part of it that is for the same instruments: only histograms have buckets."""

    settings: ViewSettings
    pattern: str
    kind: str | None

    @property
    def is_wildcard(self) -> bool:
        """Whether it may be for several names."""
        return "*" in self.pattern or "?" in self.pattern

    @property
    def depends_on_the_instrument(self) -> bool:
        """Whether matching the name is not all that it asks."""
        return not (self.kind is self.settings.unit is self.settings.meter is None)

    def is_for(self, spec: InstrumentSpec) -> bool:
        """Whether it is for a row of the catalog, its meter left aside, which no row knows."""
        return (
            fnmatchcase(spec.name.lower(), self.pattern)
            and self.kind in {None, spec.kind}
            and (self.settings.unit is None or fnmatchcase(spec.unit, self.settings.unit))
        )

    def matches(self, instrument: Any) -> bool:
        """Whether it is for a real instrument, by the rules of the SDK's own views."""
        return (
            fnmatchcase(instrument.name, self.pattern)
            and (self.settings.unit is None or fnmatchcase(instrument.unit, self.settings.unit))
            and self.settings.meter in {None, instrument.instrumentation_scope.name}
            and (self.kind is None or isinstance(instrument, KINDS[self.kind]))
        )

    def may_meet(self, other: Layer) -> bool:
        """Whether some instrument may match both."""
        return (
            _agree(self.kind, other.kind)
            and _agree(self.settings.meter, other.settings.meter)
            and _overlap(self.pattern, other.pattern)
        )


def layers_of(views: Sequence[ViewSettings]) -> list[Layer]:
    """The user's views, the less specific first."""
    layers = []
    for view in views:
        pattern = view.instrument.lower()
        about_buckets = view.buckets is not None or view.exponential
        if not about_buckets or view.rename or view.description or view.keep_attributes is not None:
            bare = view.model_copy(update={"buckets": None, "exponential": False})
            layers.append(Layer(bare, pattern, view.kind))
        if about_buckets:
            layers.append(Layer(view, pattern, view.kind or Kind.HISTOGRAM))
    return sorted(layers, key=_specificity)


def meetings(layers: Sequence[Layer], *, certain: Callable[[Layer], bool]) -> list[tuple[Layer, ...]]:
    """Every set of `layers` that may be the ones that match an instrument, each in the order given.

    Args:
        layers: from below to top.
        certain: whether a layer matches whatever the instrument turns out to be.

    Raises:
        SettingsError: there are too many.
    """
    sets: list[tuple[Layer, ...]] = [()]
    for layer in layers:
        joined = [(*met, layer) for met in sets if all(layer.may_meet(other) for other in met)]
        sets = joined if certain(layer) else sets + joined
        if len(sets) > _MOST_MEETINGS:
            patterns = ", ".join(f'"{one.pattern}"' for one in layers)
            raise SettingsError(
                [
                    f"metrics.views: more than {_MOST_MEETINGS} ways in which {patterns} may overlap; use fewer wildcards"
                ]
            )
    return sets


def _specificity(layer: Layer) -> float:
    return sum(letter not in "*?" for letter in layer.pattern) if layer.is_wildcard else float("inf")


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _overlap(one: str, other: str) -> bool:
    """Whether some name may match both patterns; True when in doubt."""
    starts = _until_wildcard(one), _until_wildcard(other)
    ends = _until_wildcard(one[::-1]), _until_wildcard(other[::-1])
    return all(a.startswith(b) or b.startswith(a) for a, b in (starts, ends))


def _until_wildcard(pattern: str) -> str:
    return pattern[: next((at for at, letter in enumerate(pattern) if letter in "*?[]"), len(pattern))]
