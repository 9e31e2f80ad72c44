"""Samplers by name: OTel's standard ones, ours, and those that installed packages register."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import sampling

from ticktrace.errors import SettingsError
from ticktrace.sampling.argument import adaptive_sampler_from_argument
from ticktrace.sampling.safe import SafeSampler

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["build_sampler", "known_samplers"]

_GROUP = "opentelemetry_traces_sampler"
_FIXED = {
    "always_off": sampling.ALWAYS_OFF,
    "always_on": sampling.ALWAYS_ON,
    "parentbased_always_off": sampling.DEFAULT_OFF,
    "parentbased_always_on": sampling.DEFAULT_ON,
}
_RATIO: dict[str, Callable[[float], sampling.Sampler]] = {
    "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio,
    "traceidratio": sampling.TraceIdRatioBased,
}
_OURS = "ticktrace_adaptive"


def known_samplers() -> list[str]:
    """Every name that `build_sampler` takes, sorted."""
    registered = {entry_point.name for entry_point in entry_points(group=_GROUP)}
    return sorted({*_FIXED, *_RATIO, _OURS, *registered})


def build_sampler(name: str, arg: str | None = None) -> sampling.Sampler:
    """The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` describe.

    Args:
        name: a name of OTel's, `ticktrace_adaptive`, or one registered under the entry-point group
            `opentelemetry_traces_sampler`; upper and lower case are the same.
        arg: the sampler's argument. A ratio from 0 to 1, by default 1, for the two traceidratio samplers.

    Returns:
        The sampler; a third party's behind a `SafeSampler`.

    Raises:
        SettingsError: the name is unknown, the argument is wrong, or a third party's factory failed.
    """
    asked = name.strip()
    lower = asked.lower()
    if lower in _FIXED:
        return _FIXED[lower]
    if lower in _RATIO:
        return _RATIO[lower](_ratio(arg))
    if lower == _OURS:
        return adaptive_sampler_from_argument(arg)
    for entry_point in entry_points(group=_GROUP):
        if entry_point.name.lower() == lower:
            return SafeSampler(_foreign(entry_point, arg))
    known = known_samplers()
    near = difflib.get_close_matches(lower, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise SettingsError([f"traces.sampler: unknown sampler {asked!r}{hint}; known: {', '.join(known)}"])


def _ratio(arg: str | None) -> float:
    if arg is None or not arg.strip():
        return 1.0
    try:
        ratio = float(arg)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise SettingsError([f"traces.sampler_arg: must be a ratio from 0 to 1, not {arg!r}"])
    return ratio


def _foreign(entry_point: EntryPoint, arg: str | None) -> sampling.Sampler:
    place = f"traces.sampler: {entry_point.name!r} ({entry_point.value})"
    try:
        sampler = entry_point.load()(arg or "")
    except Exception as error:
        raise SettingsError([f"{place} could not be made from {arg!r}: {error!r}"]) from error
    if not isinstance(sampler, sampling.Sampler):
        raise SettingsError([f"{place} made {sampler!r}, which is not a Sampler"])
    return sampler
