"""Consistent probability sampling: rejection thresholds, randomness, and their place in tracestate.

Source: OpenTelemetry specification, "TraceState: Probability Sampling" and "TraceState Handling".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.trace import TraceState

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "MAX_THRESHOLD",
    "NO_STATE",
    "OtelState",
    "is_rejected",
    "probability_of",
    "threshold_of",
    "trace_state_with",
]

_HEX_DIGITS = 14  # 56 bits
MAX_THRESHOLD = 1 << (4 * _HEX_DIGITS)
"""Every trace rejected: 2 to the power of 56, the number of distinct randomness values."""

_RANDOMNESS_MASK = MAX_THRESHOLD - 1
_PRECISION = 4  # significant hexadecimal digits, as the specification recommends
_VALUE_LIMIT = 256  # characters in the `ot` entry
_ENTRY_LIMIT = 32  # entries in a tracestate
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def threshold_of(probability: float) -> int:
    """The rejection threshold of `probability`, rounded to four significant hexadecimal digits.

    Args:
        probability: from 0 to 1; below 2 to the power of -56 it counts as 0.

    Returns:
        How many of 2 to the power of 56 randomness values are rejected; `MAX_THRESHOLD` rejects all.
    """
    exact = MAX_THRESHOLD - round(probability * MAX_THRESHOLD)
    if exact <= 0 or exact >= MAX_THRESHOLD:
        return min(max(exact, 0), MAX_THRESHOLD)
    _, exponent = math.frexp(probability)
    shift = 4 * max(0, _HEX_DIGITS - _PRECISION - exponent // -4)
    rounded = (exact + (1 << shift >> 1)) >> shift << shift
    return rounded if rounded < MAX_THRESHOLD else exact


# What rounding to four digits may add to a threshold, generously: a thousandth of the share kept, and what
# floating point loses beside 2 to the power of 56.
_SHARE_WITH_MARGIN = 1.001 * MAX_THRESHOLD
_FLOAT_MARGIN = 32.0


def is_rejected(probability: float, randomness: int) -> bool:
    """Whether a trace is certainly below the threshold of `probability`, at a fifth of the price of knowing it.

    False means: compare with `threshold_of(probability)`.
    """
    return randomness < MAX_THRESHOLD - probability * _SHARE_WITH_MARGIN - _FLOAT_MARGIN


def probability_of(threshold: int) -> float:
    """The share of traces that a rejection threshold keeps."""
    return (MAX_THRESHOLD - threshold) / MAX_THRESHOLD


@dataclass(frozen=True, slots=True)
class OtelState:
    """The `ot` entry of a tracestate.

    Attributes:
        threshold: `th`, the rejection threshold under which the trace was kept; None if absent or malformed.
        randomness: `rv`, the explicit randomness of the trace; None if absent or malformed.
        rest: the other members, as written.
    """

    threshold: int | None = None
    randomness: int | None = None
    rest: tuple[str, ...] = ()

    @classmethod
    def parse(cls, trace_state: TraceState | None) -> Self:
        """Read the `ot` entry; what is malformed counts as absent."""
        entry = trace_state.get("ot", "") if trace_state else ""
        if not entry or len(entry) > _VALUE_LIMIT:
            return cls()
        threshold = randomness = None
        rest = []
        for member in entry.split(";"):
            key, _, value = member.partition(":")
            if key == "th":
                threshold = _hexadecimal(value.ljust(_HEX_DIGITS, "0")) if value else None
            elif key == "rv":
                randomness = _hexadecimal(value)
            elif member:
                rest.append(member)
        return cls(threshold, randomness, tuple(rest))

    def randomness_of(self, trace_id: int) -> int:
        """The randomness of a trace: explicit, or the last 56 bits of its id."""
        return trace_id & _RANDOMNESS_MASK if self.randomness is None else self.randomness

    def entry(self, threshold: int | None) -> str:
        """The value of the `ot` entry with another threshold (None: without); "" when nothing is left."""
        members = []
        if threshold is not None:
            members.append(f"th:{f'{threshold:0{_HEX_DIGITS}x}'.rstrip('0') or '0'}")
        if self.randomness is not None:
            members.append(f"rv:{self.randomness:0{_HEX_DIGITS}x}")
        size = len(";".join(members))
        for member in self.rest:
            size += 1 + len(member)
            if size <= _VALUE_LIMIT:
                members.append(member)
        return ";".join(members)


NO_STATE = OtelState()
"""The state of a trace without an `ot` entry."""

_ALL_KEPT = TraceState([("ot", "th:0")])


def _hexadecimal(digits: str) -> int | None:
    if len(digits) != _HEX_DIGITS or not _HEXADECIMAL.issuperset(digits):
        return None
    return int(digits, 16)


def trace_state_with(
    trace_state: TraceState | None, state: OtelState, threshold: int | None
) -> TraceState | None:
    """`trace_state` with the `ot` entry of `state` under `threshold`; None erases `th`.

    A tracestate that is full already (32 entries) and has no `ot` entry is returned unchanged: another
    vendor's entry is not ours to remove.
    """
    if threshold == 0 and state is NO_STATE and not trace_state:
        return _ALL_KEPT  # the usual one, and dear to make
    entry = state.entry(threshold)
    if not trace_state:
        return TraceState([("ot", entry)]) if entry else trace_state
    if not entry:
        return trace_state.delete("ot") if "ot" in trace_state else trace_state
    if trace_state.get("ot") == entry:
        return trace_state
    if "ot" not in trace_state and len(trace_state) >= _ENTRY_LIMIT:
        return trace_state
    return trace_state.update("ot", entry)
