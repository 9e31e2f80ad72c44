"""A sampler that keeps a number of traces a second, whatever the load."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import get_current_span

from ticktrace.errors import SettingsError
from ticktrace.sampling.budget import Budget
from ticktrace.sampling.fork import renew_lock_after_fork
from ticktrace.sampling.key import KeyFunction, key_function
from ticktrace.sampling.rates import ArrivalRate, fair_level
from ticktrace.sampling.statistics import SamplerStatistics
from ticktrace.sampling.threshold import (
    MAX_THRESHOLD,
    NO_STATE,
    OtelState,
    is_rejected,
    threshold_of,
    trace_state_with,
)
from ticktrace.sampling.tuning import DEFAULT_TARGET, Tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanContext, SpanKind, TraceState
    from opentelemetry.util.types import Attributes

__all__ = ["OTHER_KEYS", "AdaptiveSampler"]

OTHER_KEYS = "(other)"
"""The key that stands for all keys beyond `max_keys`."""

_logger = logging.getLogger("ticktrace.sampling")
# The fair level costs a sort of all keys, so it is worked out after so many arrivals or this often.
_LEVEL_ARRIVALS = 256
_LEVELS_PER_WINDOW = 50
_IDLE_ARRIVALS = (
    0.01  # a key is forgotten when this much is left of its count: 4.6 times `recovery` after one
)


_DROPPED = SamplingResult(Decision.DROP)


class AdaptiveSampler(Sampler):
    """Keeps about `target` traces a second, shared fairly among keys.

    Over any stretch of time it keeps at most `target * (seconds + burst_window)` of the traces that start
    here: a hard bound. Within it the probability follows two exponentially weighted rates, the quick one
    down and the slow one up, and never depends on the randomness of the trace at hand. So
    `1 / probability`, which every kept trace carries as `ot=th` in its tracestate, counts what was there
    without bias.

    A span with a parent follows its parent; traces begun elsewhere are not in the budget.

    Args:
        target: kept traces a second; 20 by default, or no budget when there is a policy.
        burst_window: seconds of budget that may be spent at once.
        recovery: seconds in which the estimated load falls to 37 % after traffic stops.
        floor: the least probability, for as long as the budget allows: where `floor * load` exceeds
            the target, the budget wins.
        ceiling: the greatest probability.
        policy: steps of (traces a second, probability): `((500, 0.5), (1000, 0.1))` keeps half above 500/s and
            a tenth above 1,000/s. With a target as well, the lower of the two holds.
        key: what shares the budget fairly: an attribute's name (several joined by "+"), a function, or by
            default the span's name. Only attributes given at the start of the span are visible.
        max_keys: how many keys have a rate of their own; the others share one.
        follow_remote_parent: False decides anew, consistently, for spans with a remote parent.
        clock: monotonic seconds.

    Raises:
        SettingsError: a value is out of range; all such values are named.
    """

    def __init__(
        self,
        target: float | None = None,
        *,
        burst_window: float = 5.0,
        recovery: float = 10.0,
        floor: float = 0.0,
        ceiling: float = 1.0,
        policy: Sequence[tuple[float, float]] = (),
        key: str | KeyFunction | None = None,
        max_keys: int = 128,
        follow_remote_parent: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if target is None and not policy:
            target = DEFAULT_TARGET
        self._tuning = Tuning(target, burst_window, recovery, floor, ceiling, tuple(policy))
        if max_keys < 1:
            raise SettingsError([f"max_keys: must be a whole number from 1 up, not {max_keys!r}"])
        self._key = key_function(key)
        self._max_keys = max_keys
        self._follow_remote_parent = follow_remote_parent
        self._clock = clock
        now = clock()
        self._lock = threading.Lock()
        self._budget = None if target is None else Budget(self._tuning, now)
        self._total = ArrivalRate(now)
        self._rates: dict[str, ArrivalRate] = {}
        self._level = 0.0
        self._level_until = now
        self._level_arrivals = 0
        self._decided = self._kept = self._limited = self._failures = 0
        self._warned = False
        self._quick, self._slow = self._tuning.reaction, self._tuning.recovery
        renew_lock_after_fork(self)

    @property
    def tuning(self) -> Tuning:
        """The dials in force."""
        return self._tuning

    def update(self, **changes: Any) -> None:
        """Turn dials while running: any of `Tuning`'s fields, by name.

        Raises:
            SettingsError: a value is out of range; nothing has changed then.
            TypeError: no such dial.
        """
        with self._lock:
            tuning = self._tuning.changed(**changes)
            now = self._clock()
            if tuning.target is None:
                self._budget = None
                self._rates.clear()
            elif self._budget is None:
                self._budget = Budget(tuning, now)
            else:
                self._budget.retune(tuning, now)
            self._tuning = tuning
            self._quick, self._slow = tuning.reaction, tuning.recovery
            self._level_arrivals = _LEVEL_ARRIVALS  # the next decision works the level out again

    @property
    def probability(self) -> float:
        """The share of traces that is kept now, all keys together; for a gauge."""
        return self.statistics().probability

    def probability_of(self, key: str) -> float:
        """The probability now for one key; that of a newcomer if it was not seen lately."""
        with self._lock:
            full = len(self._rates) >= self._max_keys
            arrivals = self._rates.get(key) or (self._rates.get(OTHER_KEYS) if full else None)
            return self._probability(arrivals, self._clock())

    def probabilities(self) -> dict[str, float]:
        """The probability now for each key seen lately: at most `max_keys` of them, and "(other)"."""
        with self._lock:
            now = self._clock()
            return {key: self._probability(arrivals, now) for key, arrivals in self._rates.items()}

    def statistics(self) -> SamplerStatistics:
        """What was done so far, and how things stand now."""
        with self._lock:
            now = self._clock()
            arriving = keeping = 0.0
            for arrivals in [self._total] if self._budget is None else self._rates.values():
                rate = arrivals.read(now, self._quick, self._slow)
                arriving += rate
                keeping += rate * self._probability(arrivals, now)
            return SamplerStatistics(
                decided=self._decided,
                kept=self._kept,
                limited=self._limited,
                failures=self._failures,
                keys=len(self._rates),
                arrival_rate=arriving,
                probability=keeping / arriving if arriving else self._probability(None, now),
            )

    def get_description(self) -> str:
        """The sampler and its dials, as OTel asks."""
        tuning = self._tuning
        dials = (
            [] if tuning.target is None else [f"target={tuning.target:g}", f"burst={tuning.burst_window:g}"]
        )
        if tuning.policy:
            dials.append("policy=" + ";".join(f"{above:g}:{then:g}" for above, then in tuning.policy))
        dials += [f"recovery={tuning.recovery:g}", f"floor={tuning.floor:g}", f"ceiling={tuning.ceiling:g}"]
        return f"AdaptiveSampler{{{','.join(dials)}}}"

    def should_sample(  # noqa: PLR0917 - OTel's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,  # noqa: ARG002 - OTel's signature
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002 - OTel's signature
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide about a span; never raises. `attributes` are handed through, as OTel expects."""
        try:
            parent = get_current_span(parent_context).get_span_context()
            if parent.is_valid and (self._follow_remote_parent or not parent.is_remote):
                return _follow(parent, attributes)
            # The SDK passes no trace_state: what a parent context brings, valid or not, is the source.
            return self._decide(parent.trace_state or trace_state, trace_id, name, attributes)
        except Exception:  # noqa: BLE001 - whatever it is, the SDK would hand it to the application
            self._report_failure()
            return _DROPPED

    def _decide(
        self, trace_state: TraceState | None, trace_id: int, name: str, attributes: Attributes
    ) -> SamplingResult:
        state = OtelState.parse(trace_state) if trace_state else NO_STATE
        randomness = state.randomness_of(trace_id)
        key = name if self._key is None else self._key_of(self._key, name, attributes)
        with self._lock:
            now = self._clock()
            # The probability comes from what was before, then this arrival is counted: were it to depend on
            # the randomness of this trace, adjusted counts would be biased.
            arrivals = self._rate_of(key, now)
            probability = self._probability(arrivals, now)
            self._count(arrivals)
            threshold = MAX_THRESHOLD if is_rejected(probability, randomness) else threshold_of(probability)
            sampled = randomness >= threshold
            budget = self._budget
            if sampled:
                self._kept += 1
                if budget is not None:
                    budget.spend()
            elif probability == 0.0 and budget is not None and budget.exhausted:
                self._limited += 1
        if sampled:
            kept_state = trace_state_with(trace_state, state, threshold)
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, kept_state)
        if not trace_state:
            return _DROPPED
        erased = trace_state if state.threshold is None else trace_state_with(trace_state, state, None)
        return SamplingResult(Decision.DROP, None, erased)

    def _key_of(self, function: KeyFunction, name: str, attributes: Attributes) -> str:
        try:
            return str(function(name, attributes or {}))
        except Exception:  # noqa: BLE001 - the application's function may raise anything
            self._report_failure()
            return OTHER_KEYS

    def _rate_of(self, key: str, now: float) -> ArrivalRate:
        if self._budget is None:
            return self._total
        if now >= self._level_until or self._level_arrivals >= _LEVEL_ARRIVALS:
            self._share_out(now)
        rates = self._rates
        rate = rates.get(key)
        if rate is None:
            if len(rates) >= self._max_keys:
                key = OTHER_KEYS
            rate = rates.setdefault(key, ArrivalRate(now))
        return rate

    def _probability(self, arrivals: ArrivalRate | None, now: float) -> float:
        tuning = self._tuning
        probability = tuning.step(self._total.read(now, self._quick, self._slow)) if tuning.policy else 1.0
        budget = self._budget
        if budget is None:
            return probability
        share = budget.refill(now)
        rate = 0.0 if arrivals is None else arrivals.read(now, self._quick, self._slow)
        wanted = self._level * budget.steer(share)
        enough = wanted >= rate * tuning.ceiling
        steered = tuning.ceiling if enough else max(tuning.floor, wanted / rate)
        return min(steered, probability) * budget.brake(share, rare=rate <= self._level)

    def _count(self, arrivals: ArrivalRate) -> None:
        self._decided += 1
        self._level_arrivals += 1
        arrivals.count()
        if self._tuning.policy and arrivals is not self._total:
            self._total.count()

    def _share_out(self, now: float) -> None:
        tuning = self._tuning
        idle = _IDLE_ARRIVALS / tuning.recovery
        rates = {key: rate.read(now, self._quick, self._slow) for key, rate in self._rates.items()}
        for key, rate in rates.items():
            if rate < idle:
                del self._rates[key]
        self._level = fair_level(list(rates.values()), tuning.target or 0.0, tuning.floor, tuning.ceiling)
        self._level_until = now + tuning.burst_window / _LEVELS_PER_WINDOW
        self._level_arrivals = 0

    def _report_failure(self) -> None:
        self._failures += 1
        if not self._warned:
            self._warned = True
            _logger.warning("a sampling decision failed; further failures are only counted")


def _follow(parent: SpanContext, attributes: Attributes) -> SamplingResult:
    trace_state = parent.trace_state
    sampled = parent.trace_flags.sampled
    erased: TraceState | None = trace_state
    # A local parent's state was written here; a remote one is believed only as far as it is consistent.
    if parent.is_remote and "ot" in trace_state:
        state = OtelState.parse(trace_state)
        if state.threshold is not None:
            kept = state.randomness_of(parent.trace_id) >= state.threshold
            erased = trace_state if kept is sampled else trace_state_with(trace_state, state, None)
    if sampled:
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, erased)
    return SamplingResult(Decision.DROP, None, erased)
