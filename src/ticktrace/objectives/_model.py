"""What an objective is, once the catalog has been asked what its words mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ticktrace.catalog import Kind, attribute_key, label_name
from ticktrace.engine import text_of
from ticktrace.views import streams_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.settings import MetricsSettings, ObjectiveSettings, SloSettings

__all__ = ["Objective", "Wanted", "check_objectives", "objectives_of"]

Wanted = tuple[tuple[str, tuple[str, ...]], ...]
"""Attributes by key, each with the values that it may have; an empty one stands for its absence."""

_EXPONENT_FROM = 1e6
_COUNTED = (Kind.COUNTER, Kind.HISTOGRAM)


def has(attributes: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether a series has what is wanted."""
    return all(_word(attributes.get(key)) in values for key, values in wanted)


def _word(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else text_of(value)


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective.

    Attributes:
        name: as the settings call it.
        instrument: what counts the events.
        wanted: which series of it count.
        target: share of the events that has to be good, above 0 and below 1.
        window: seconds over which that is asked.
        threshold: values up to this one are good, in the instrument's unit; None where attributes say what is good.
        good: what good events have; empty where that is not how it is said.
        bad: what bad events have; likewise.
        bad_instrument: what counts the bad ones; None where it is the instrument itself.
        min_events: with fewer events nothing is judged.
        description: what it is about.
    """

    name: str
    instrument: InstrumentSpec
    wanted: Wanted
    target: float
    window: float
    threshold: float | None = None
    good: Wanted = ()
    bad: Wanted = ()
    bad_instrument: InstrumentSpec | None = None
    min_events: int = 1
    description: str = ""

    @property
    def promise(self) -> str:
        """What it wants, in words."""
        about = f"{self.description}: " if self.description else ""
        share = f"{about}{self.target * 100:.10g} % of {self.instrument.name}"
        if self.threshold is not None:
            return f"{share} within {self.threshold:.10g} {self.instrument.unit}".rstrip()
        if self.bad_instrument is not None:
            return f"{share} not in {self.bad_instrument.name}"
        if self.good:
            return f"{share} with {_words(self.good)}"
        return f"{share} without {_words(self.bad)}"

    def promql_counts(self, window: float | None = None) -> tuple[str, str]:
        """Expressions for the good events and for all events of a window, in whole numbers as they are counted here.

        A difference of counters and not ``increase()``, which extrapolates. It is right as long as the process that is
        asked about was not started anew within the window.

        Args:
            window: seconds; the objective's own by default.
        """
        row = self.instrument
        histogram = row.kind is Kind.HISTOGRAM
        name = f"{row.prometheus_name}_count" if histogram else row.prometheus_name
        total = _selected(name, self.wanted)
        if self.threshold is not None:
            good = _selected(f"{row.prometheus_name}_bucket", self.wanted, _le(self.threshold))
            return _within(good, window or self.window), _within(total, window or self.window)
        if self.good:
            good = _selected(name, (*self.wanted, *self.good))
            return _within(good, window or self.window), _within(total, window or self.window)
        other = self.bad_instrument
        if other is not None:
            name = f"{other.prometheus_name}_count" if other.kind is Kind.HISTOGRAM else other.prometheus_name
        bad = _within(_selected(name, (*self._wanted_of_bad, *self.bad)), window or self.window)
        whole = _within(total, window or self.window)
        return f"clamp_min({whole} - {bad}, 0)", whole

    def promql(self, window: float | None = None) -> str:
        """An expression for the share of good events in a window; NaN where there are none. See `promql_counts`."""
        good, total = self.promql_counts(window)
        return f"{good} / {total}"

    @property
    def _wanted_of_bad(self) -> Wanted:
        """The filters, as far as the counter of bad events knows them."""
        other = self.bad_instrument
        if other is None:
            return self.wanted
        return tuple((key, values) for key, values in self.wanted if key in other.attributes)

    def counts_as_bad(self, attributes: Mapping[str, Any]) -> bool:
        """Whether a series of what counts the bad events is one of them."""
        return has(attributes, self._wanted_of_bad) and has(attributes, self.bad)


def _words(wanted: Wanted) -> str:
    return ", ".join(f"{key}={'|'.join(values) or '(absent)'}" for key, values in wanted)


def _selected(name: str, wanted: Wanted, *more: str) -> str:
    matchers = [*more]
    for key, values in wanted:
        label = label_name(key)
        if len(values) == 1:
            matchers.append(f'{label}="{_quoted(values[0])}"')
        else:
            matchers.append(f'{label}=~"{_quoted("|".join(map(re.escape, values)))}"')
    return f"{name}{{{','.join(matchers)}}}" if matchers else name


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _le(threshold: float) -> str:
    """How the bound may be written: whole numbers with and without their ``.0``, large ones with an exponent."""
    text = repr(threshold)
    if not threshold.is_integer():
        return f'le="{text}"'
    forms = {f"{threshold:.0f}", f"{threshold:.1f}", text}
    if abs(threshold) >= _EXPONENT_FROM:
        digits = f"{abs(threshold):.0f}"
        fraction = digits[1:].rstrip("0")
        sign, point = "-" * (threshold < 0), "." * bool(fraction)
        forms.add(f"{sign}{digits[0]}{point}{fraction}e+{len(digits) - 1:02d}")
    return f'le=~"{_quoted("|".join(map(re.escape, sorted(forms))))}"'


def _within(series: str, window: float) -> str:
    before = f"(sum({series} offset {round(window * 1e3)}ms) or vector(0))"
    return f"((sum({series}) or vector(0)) - {before})"


# --- from settings ---------------------------------------------------------------------------------------------------


def objectives_of(slo: SloSettings, catalog: Mapping[str, InstrumentSpec]) -> list[Objective]:
    """The objectives of settings that `check_objectives` found nothing wrong with."""
    return [_objective(name, settings, catalog) for name, settings in slo.objectives.items()]


def _objective(name: str, settings: ObjectiveSettings, catalog: Mapping[str, InstrumentSpec]) -> Objective:
    spec = catalog[settings.instrument]
    other = None if settings.bad_instrument is None else catalog[settings.bad_instrument]
    return Objective(
        name=name,
        instrument=spec,
        wanted=_resolved(spec, settings.attributes),
        target=settings.target,
        window=settings.window,
        threshold=settings.threshold,
        good=_resolved(spec, settings.good),
        bad=_resolved(other or spec, settings.bad),
        bad_instrument=other,
        min_events=settings.min_events,
        description=settings.description or "",
    )


def _resolved(spec: InstrumentSpec, wanted: Wanted) -> Wanted:
    return tuple((attribute_key(spec, word) or word, values) for word, values in wanted)


def check_objectives(
    slo: SloSettings, metrics: MetricsSettings, catalog: Mapping[str, InstrumentSpec]
) -> list[str]:
    """What is wrong with the objectives of the settings: one line a problem, which begins with its place."""
    problems = []
    for name, settings in slo.objectives.items():
        problems += [
            f'slo.objectives["{name}"]: {problem}' for problem in _problems(settings, slo, metrics, catalog)
        ]
    return problems


def _problems(
    settings: ObjectiveSettings,
    slo: SloSettings,
    metrics: MetricsSettings,
    catalog: Mapping[str, InstrumentSpec],
) -> Iterator[str]:
    counted = [name for name, spec in catalog.items() if spec.kind in _COUNTED]
    for field in ("instrument", "bad_instrument"):
        name = getattr(settings, field)
        if name is None:
            continue
        spec = catalog.get(name)
        if spec is None:
            close = get_close_matches(name, counted, 1, 0.6)
            hint = f'did you mean "{close[0]}"?' if close else "see docs/reference/instruments.md"
            yield f'{field}: unknown instrument "{name}"; {hint}'
            continue
        if spec.kind not in _COUNTED:
            yield f"{field}: {name} is a {spec.kind.replace('_', '-', 1).replace('_', ' ')}; events are counted by counters and histograms"
            continue
        of_bad = field == "bad_instrument"
        if not of_bad and settings.threshold is not None and spec.kind is not Kind.HISTOGRAM:
            yield f"threshold: {name} is a counter; thresholds are for histograms"
        asked = settings.bad if of_bad else (*settings.attributes, *settings.good)
        if not of_bad and settings.bad_instrument is None:
            asked = (*asked, *settings.bad)
        yield from _unknown_attributes(spec, asked)
        yield from _views(spec, settings, _resolved(spec, asked), slo, metrics)


def _unknown_attributes(spec: InstrumentSpec, wanted: Wanted) -> Iterator[str]:
    if spec.recorded_by == "otel":  # it may have more than the row knows
        return
    for word, _ in wanted:
        if attribute_key(spec, word) is None:
            yield f'attribute "{word}": {spec.name} has {", ".join(spec.attributes) or "none"}'


def _views(
    spec: InstrumentSpec,
    settings: ObjectiveSettings,
    wanted: Wanted,
    slo: SloSettings,
    metrics: MetricsSettings,
) -> Iterator[str]:
    for stream in streams_of(spec, metrics, slo):
        if stream.dropped:
            yield f"one of metrics.views drops {spec.name}"
        elif stream.exponential is not None:
            what = "without a boundary there" if settings.threshold is not None else "which cannot be counted"
            yield f"one of metrics.views makes {spec.name} exponential, {what}"
        elif stream.attributes is not None:
            for key, _ in wanted:
                if key not in stream.attributes and key in spec.attributes:
                    yield f'attribute "{key}": one of metrics.views takes it off {spec.name}'
