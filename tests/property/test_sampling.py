from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import TraceState

from ticktrace.sampling import AdaptiveSampler
from ticktrace.sampling.rates import fair_level
from ticktrace.sampling.threshold import OtelState, is_rejected, probability_of, threshold_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROBABILITIES = st.floats(0, 1, allow_nan=False) | st.floats(-56, 0).map(lambda power: 2.0**power)
_RANDOMNESS = st.integers(0, (1 << 56) - 1)

# A pattern is phases of (traces, seconds, keys): bursts without duration, silence, steady load, many keys.
_PHASE = st.tuples(st.integers(0, 150), st.floats(0, 20), st.integers(1, 20))
_PATTERN = st.lists(_PHASE, min_size=1, max_size=8)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the tests repeat themselves


class Now:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def offer(
    sampler: AdaptiveSampler,
    now: Now,
    pattern: Sequence[tuple[int, float, int]],
    source: random.Random,
) -> tuple[list[float], int, float]:
    """Offer a pattern; returns when traces were kept, how many were offered, and what the kept ones stand for."""
    kept: list[float] = []
    offered, standing = 0, 0.0
    for traces, seconds, keys in pattern:
        for number in range(traces):
            now.seconds += seconds / traces
            offered += 1
            result = sampler.should_sample(None, source.getrandbits(128), f"key {number % keys}")
            if result.decision is Decision.RECORD_AND_SAMPLE:
                kept.append(now.seconds)
                threshold = OtelState.parse(result.trace_state).threshold
                assert threshold is not None
                standing += 1 / probability_of(threshold)
        if not traces:
            now.seconds += seconds
    return kept, offered, standing


@given(
    pattern=_PATTERN,
    target=st.floats(0.1, 50),
    window=st.floats(0.1, 10),
    floor=st.sampled_from([0.0, 0.01, 0.9]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_no_stretch_of_time_holds_more_than_the_budget_and_one_burst_window(
    pattern: list[tuple[int, float, int]], target: float, window: float, floor: float, seed: int
) -> None:
    now = Now()
    sampler = AdaptiveSampler(target, burst_window=window, floor=floor, clock=now)
    kept, offered, _ = offer(sampler, now, pattern, seeded(seed))
    burst = max(1.0, target * window)
    # Over every stretch at once: the kept traces, each a token, against a bucket that refills at the target.
    tokens, before = burst, 0.0
    for at in kept:
        tokens = min(burst, tokens + (at - before) * target) - 1
        before = at
        assert tokens >= -1e-6
    statistics = sampler.statistics()
    assert (statistics.decided, statistics.kept, statistics.failures) == (offered, len(kept), 0)
    assert 0.0 <= statistics.probability <= 1.0


@given(pattern=_PATTERN, changes=st.lists(st.floats(0.1, 100), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_turning_the_dials_never_opens_the_budget(
    pattern: list[tuple[int, float, int]], changes: list[float]
) -> None:
    now = Now()
    sampler = AdaptiveSampler(20, clock=now)
    source = seeded(1)
    for target in changes:
        sampler.update(target=target)
        start = now.seconds
        kept, _, _ = offer(sampler, now, pattern, source)
        assert len(kept) <= max(1.0, target * 5) + target * (now.seconds - start) + 1e-6


@given(_PROBABILITIES, _PROBABILITIES, _RANDOMNESS)
def test_what_a_probability_keeps_every_greater_one_keeps(one: float, other: float, randomness: int) -> None:
    lower, greater = sorted((one, other))
    if randomness >= threshold_of(lower):
        assert randomness >= threshold_of(greater)


@given(_PROBABILITIES, _RANDOMNESS)
def test_the_quick_rejection_agrees_with_the_threshold(probability: float, randomness: int) -> None:
    if is_rejected(probability, randomness):
        assert randomness < threshold_of(probability)


@given(_PROBABILITIES)
def test_thresholds_survive_the_tracestate_and_stay_near_the_probability(probability: float) -> None:
    threshold = threshold_of(probability)
    if probability_of(threshold) > 0:
        written = TraceState([("ot", OtelState().entry(threshold))])
        assert OtelState.parse(written) == OtelState(threshold)
        assert math.isclose(probability_of(threshold), probability, rel_tol=1e-3, abs_tol=2.0**-56)


@given(trace_id=st.integers(1, (1 << 128) - 1), low=st.floats(0.01, 1), high=st.floats(0.01, 1))
def test_samplers_agree_on_a_trace_as_far_as_their_probabilities_allow(
    trace_id: int, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    decisions = [
        AdaptiveSampler(ceiling=ceiling, clock=lambda: 0.0).should_sample(None, trace_id, "x").decision
        for ceiling in (low, high)
    ]
    assert decisions != [Decision.RECORD_AND_SAMPLE, Decision.DROP]


@given(
    rates=st.lists(st.floats(0, 1e4), max_size=30),
    target=st.floats(0.1, 1e3),
    floor=st.sampled_from([0.0, 0.001, 0.1]),
    ceiling=st.sampled_from([0.5, 1.0]),
)
def test_the_fair_level_uses_the_target_and_no_more(
    rates: list[float], target: float, floor: float, ceiling: float
) -> None:
    level = fair_level(rates, target, floor, ceiling)
    kept = sum(min(rate * ceiling, max(level, rate * floor)) for rate in rates)
    wanted = sum(rate * ceiling for rate in rates)
    held = sum(rate * floor for rate in rates)
    if wanted <= target:
        assert math.isclose(kept, wanted, rel_tol=1e-6, abs_tol=1e-9)
    elif held < target * 0.999:
        assert math.isclose(kept, target, rel_tol=1e-6)


def test_adjusted_counts_are_unbiased() -> None:
    """The mean over many runs meets the truth within four standard errors, in bursts and under steady load."""
    patterns = {
        "burst": ([(800, 0.1, 1)], 200),
        "steady, three keys": ([(1500, 15.0, 3)], 60),
        "surge": ([(100, 10.0, 1), (900, 1.0, 2), (100, 10.0, 1)], 80),
    }
    for name, (pattern, runs) in patterns.items():
        ratios = []
        for seed in range(runs):
            now = Now()
            sampler = AdaptiveSampler(20, clock=now)
            _, offered, standing = offer(sampler, now, pattern, seeded(seed))
            assert sampler.statistics().limited == 0
            ratios.append(standing / offered)
        mean = sum(ratios) / runs
        deviation = math.sqrt(sum((ratio - mean) ** 2 for ratio in ratios) / (runs - 1))
        assert abs(mean - 1) <= 4 * deviation / math.sqrt(runs), name
        assert deviation < 1, name
