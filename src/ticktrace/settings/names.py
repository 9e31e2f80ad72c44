"""Check names that are known only at run time: exporters, propagators, samplers, instruments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, cast

from .values import did_you_mean

if TYPE_CHECKING:
    from .origin import Entry, Location

__all__ = ["KnownExporters", "Signal", "check_names"]

Signal = Literal["traces", "metrics", "logs"]
KnownExporters = Callable[[Signal], Collection[str]]

_OTEL_SAMPLERS = (
    "always_off",
    "always_on",
    "parentbased_always_off",
    "parentbased_always_on",
    "parentbased_traceidratio",
    "ticktrace_adaptive",
    "traceidratio",
)


def check_names(
    entry: Entry,
    value: Any,
    known_exporters: KnownExporters | None,
    known_instruments: Collection[str] | None,
) -> Iterator[tuple[Location, str]]:
    """Yield (place inside the value, message) for each unknown name in the checked `value` of `entry`."""
    group, name = entry.leaf.path[0], entry.leaf.path[-1]
    if group == "exporters":
        if known_exporters is not None:
            yield from _unknown("exporter", value, known_exporters(cast("Signal", name)))
        yield from _lonely_none(value)
    elif entry.leaf.name == "propagators":
        yield from _unknown("propagator", value, {"none", *_registered("opentelemetry_propagator")})
        yield from _lonely_none(value)
    elif entry.leaf.name == "traces.sampler":
        known = {*_OTEL_SAMPLERS, *map(str.lower, _registered("opentelemetry_traces_sampler"))}
        yield from (((), message) for _, message in _unknown("sampler", [value.lower()], known))
    elif entry.leaf.name == "slo.thresholds" and known_instruments is not None:
        yield from _unknown_instrument(entry.key or "", known_instruments)


def _registered(group: str) -> set[str]:
    return {point.name for point in entry_points(group=group)}


def _unknown(kind: str, names: Collection[str], known: Collection[str]) -> Iterator[tuple[Location, str]]:
    ordered = sorted(known)
    for index, name in enumerate(names):
        if name not in known:
            listed = ", ".join(ordered)
            yield (index,), f'unknown {kind} "{name}"; known: {listed}{did_you_mean(name, ordered)}'


def _unknown_instrument(name: str, known: Collection[str]) -> Iterator[tuple[Location, str]]:
    if name not in known:
        hint = did_you_mean(name, sorted(known)) or "; the instruments reference lists all"
        yield (), f'unknown instrument "{name}"{hint}'


def _lonely_none(names: Collection[str]) -> Iterator[tuple[Location, str]]:
    if "none" in names and len(names) > 1:
        others = ", ".join(name for name in names if name != "none")
        yield (), f'"none" contradicts {others}'
