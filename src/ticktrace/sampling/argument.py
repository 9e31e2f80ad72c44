"""The adaptive sampler from one line of text: `OTEL_TRACES_SAMPLER_ARG`."""

from __future__ import annotations

import difflib
from typing import Any

from ticktrace.errors import SettingsError
from ticktrace.sampling.adaptive import AdaptiveSampler

__all__ = ["adaptive_sampler_from_argument"]

# Name in the argument -> parameter of AdaptiveSampler; the rest are text, see _read.
_NUMBERS = {
    "target": "target",
    "burst": "burst_window",
    "burst_window": "burst_window",
    "recovery": "recovery",
    "floor": "floor",
    "ceiling": "ceiling",
}
_KNOWN = [*_NUMBERS, "key", "max_keys", "policy"]
_EXAMPLE = "target=20,floor=0.01 or policy=500:0.5;1000:0.1"


def adaptive_sampler_from_argument(arg: str | None = None) -> AdaptiveSampler:
    """The sampler that `OTEL_TRACES_SAMPLER=ticktrace_adaptive` names, made from `OTEL_TRACES_SAMPLER_ARG`.

    Args:
        arg: `option=value` pairs joined by commas, or a number alone for the target. The options are
            target (traces a second), burst and recovery (seconds), floor and ceiling (probabilities), policy
            (`rate:probability` joined by semicolons), key (attribute names joined by "+") and max_keys.
            None or empty: the defaults.

    Raises:
        SettingsError: every problem of the argument.
    """
    options, problems = _read((arg or "").strip())
    if not problems:
        try:
            return AdaptiveSampler(**options)
        except SettingsError as error:
            problems = error.problems
    raise SettingsError([f"traces.sampler_arg: {problem} (in {arg!r})" for problem in problems])


def _read(text: str) -> tuple[dict[str, Any], list[str]]:
    options: dict[str, Any] = {}
    problems: list[str] = []
    if _number(text) is not None:
        return {"target": _number(text)}, []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            problems.append(f"{pair!r} is not option=value; write {_EXAMPLE}")
        elif name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"unknown option {name!r}{hint}; known: {', '.join(sorted(_KNOWN))}")
        elif (parameter := _NUMBERS.get(name, name)) in options:
            problems.append(f"{name}: given twice")
        else:
            options[parameter] = _value(name, value, problems)
    return options, problems


def _value(name: str, value: str, problems: list[str]) -> object:
    if name == "key":
        if not value:
            problems.append("key: needs an attribute's name, or several joined by '+'")
        return value
    if name == "policy":
        return _policy(value, problems)
    number = _number(value)
    if name == "max_keys":
        if number is None or number != int(number) or number < 1:
            problems.append(f"max_keys: must be a whole number from 1 up, not {value!r}")
            return None
        return int(number)
    if number is None:
        problems.append(f"{name}: must be a number, not {value!r}")
    return number


def _policy(text: str, problems: list[str]) -> tuple[tuple[float, float], ...]:
    steps = []
    for step in filter(None, (part.strip() for part in text.split(";"))):
        above, _, probability = step.partition(":")
        pair = _number(above), _number(probability)
        if pair[0] is None or pair[1] is None:
            problems.append(f"policy: {step!r} is not rate:probability, such as 500:0.5")
        else:
            steps.append((pair[0], pair[1]))
    if not steps and not problems:
        problems.append("policy: needs at least one rate:probability, such as 500:0.5")
    return tuple(sorted(steps))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
