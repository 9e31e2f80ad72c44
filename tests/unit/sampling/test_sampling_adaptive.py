from __future__ import annotations

import gc
import os
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from ticktrace.errors import SettingsError
from ticktrace.sampling import AdaptiveSampler, Tuning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class ManualClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the tests repeat themselves


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def run(
    sampler: AdaptiveSampler, clock: ManualClock, rate: float, seconds: float, name: str = "candle"
) -> int:
    """Offer evenly spaced traces; returns how many were kept."""
    source = seeded(1)
    kept = 0
    for _ in range(round(rate * seconds)):
        clock.now += 1 / rate
        result = sampler.should_sample(None, source.getrandbits(128), name)
        kept += result.decision is Decision.RECORD_AND_SAMPLE
    return kept


def remote_parent(*, sampled: bool, trace_state: TraceState | None = None, trace_id: int = 1) -> Context:
    span_context = SpanContext(
        trace_id, 1, is_remote=True, trace_flags=TraceFlags(sampled), trace_state=trace_state
    )
    return set_span_in_context(NonRecordingSpan(span_context), Context())


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def tracer_with(sampler: AdaptiveSampler, exporter: InMemorySpanExporter) -> Tracer:
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test")


class TestSteering:
    def test_everything_is_kept_below_the_target(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, clock=clock)
        assert run(sampler, clock, 15, 60) == 900
        assert sampler.probability == 1.0

    @pytest.mark.parametrize("rate", [30, 200, 3000])
    def test_the_target_is_met_above_it(self, clock: ManualClock, rate: float) -> None:
        sampler = AdaptiveSampler(20, clock=clock)
        run(sampler, clock, rate, 20)
        assert run(sampler, clock, rate, 20) == pytest.approx(400, rel=0.15)
        assert sampler.statistics().arrival_rate == pytest.approx(rate, rel=0.05)

    def test_the_way_down_is_quick_and_the_way_up_is_slow(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, burst_window=4, recovery=10, clock=clock)
        run(sampler, clock, 10, 10)
        run(sampler, clock, 2000, 2)
        low = sampler.probability
        assert low < 0.02
        run(sampler, clock, 10, 3)
        assert sampler.probability < 0.2
        run(sampler, clock, 10, 60)
        assert sampler.probability == 1.0

    def test_a_burst_stays_within_the_burst_window(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, burst_window=5, clock=clock)
        kept = run(sampler, clock, 1_000_000, 0.1)
        assert 20 < kept <= 100
        assert sampler.statistics().limited == 0

    def test_the_floor_holds_while_the_budget_allows_and_the_budget_wins(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, floor=0.1, clock=clock)
        assert run(sampler, clock, 100, 30) == pytest.approx(600, rel=0.2)
        greedy = AdaptiveSampler(20, floor=0.5, clock=clock)
        assert run(greedy, clock, 400, 30) <= 20 * (30 + 5)

    def test_the_floor_lifts_a_key_that_fairness_would_press_lower(self, clock: ManualClock) -> None:
        floors = []
        for floor in (0.0, 0.05):
            sampler = AdaptiveSampler(50, floor=floor, clock=clock)
            for _ in range(20):
                run(sampler, clock, 500, 1, "hot")
            floors.append(sampler.probability_of("hot"))
        assert floors[1] >= 0.05

    def test_the_ceiling_holds_at_any_load(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, ceiling=0.25, clock=clock)
        assert run(sampler, clock, 10, 100) == pytest.approx(250, rel=0.2)
        assert sampler.probability == 0.25
        assert run(AdaptiveSampler(ceiling=0.0, clock=clock), clock, 10, 10) == 0

    def test_a_clock_that_jumps_back_does_no_harm(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, clock=clock)
        run(sampler, clock, 100, 5)
        clock.now -= 3600
        assert run(sampler, clock, 100, 5) <= 100
        clock.now += 7200
        run(sampler, clock, 100, 20)
        assert run(sampler, clock, 100, 20) == pytest.approx(400, rel=0.2)


class TestFairness:
    def test_rare_keys_are_kept_whole_and_busy_ones_share_the_rest(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(30, clock=clock)
        source = seeded(3)
        kept = {"hot": 0, "warm": 0, "rare": 0}
        for tick in range(40_000):
            clock.now += 0.001
            name = "rare" if tick % 1000 == 0 else "warm" if tick % 10 == 0 else "hot"
            result = sampler.should_sample(None, source.getrandbits(128), name)
            if tick >= 20_000:
                kept[name] += result.decision is Decision.RECORD_AND_SAMPLE
        assert kept["rare"] == 20
        assert kept["hot"] == pytest.approx(290, rel=0.25)
        assert kept["warm"] == pytest.approx(290, rel=0.25)
        probabilities = sampler.probabilities()
        assert probabilities["rare"] == 1.0
        assert probabilities["hot"] < probabilities["warm"] < 1.0
        assert sampler.probability_of("never seen") == 1.0

    def test_keys_may_be_attributes_or_a_function(self, clock: ManualClock) -> None:
        by_attributes = AdaptiveSampler(key="trading.strategy+trading.symbol", clock=clock)
        by_attributes.should_sample(
            None, 1, "x", attributes={"trading.symbol": "BTC", "trading.strategy": "momentum"}
        )
        by_attributes.should_sample(None, 1, "x")
        assert set(by_attributes.probabilities()) == {"momentum+BTC", "+"}

        def first_word(name: str, _attributes: Mapping[str, Any]) -> str:
            return name.split(maxsplit=1)[0]

        by_function = AdaptiveSampler(key=first_word, clock=clock)
        by_function.should_sample(None, 1, "candle 1m")
        assert set(by_function.probabilities()) == {"candle"}

    def test_the_number_of_keys_is_bounded(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, max_keys=10, clock=clock)
        for number in range(1000):
            clock.now += 0.001
            sampler.should_sample(None, number, f"key {number}")
        assert sampler.statistics().keys == 11
        assert "(other)" in sampler.probabilities()
        assert sampler.probability_of("key 999") == sampler.probability_of("(other)") < 1.0

    def test_keys_that_fell_silent_are_forgotten(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, recovery=10, clock=clock)
        run(sampler, clock, 1, 1, "once")
        run(sampler, clock, 1, 60, "steady")
        assert set(sampler.probabilities()) == {"steady"}


class TestPolicy:
    """The seeds' policy: over 500 a second half, over 1,000 a second a tenth."""

    @pytest.mark.parametrize(("rate", "probability"), [(300, 1.0), (700, 0.5), (3000, 0.1)])
    def test_each_step_holds_at_its_rate(self, clock: ManualClock, rate: float, probability: float) -> None:
        sampler = AdaptiveSampler(policy=[(500, 0.5), (1000, 0.1)], clock=clock)
        run(sampler, clock, rate, 10)
        assert sampler.probability == probability
        assert run(sampler, clock, rate, 5) == pytest.approx(rate * 5 * probability, rel=0.1)
        assert sampler.probabilities() == {}

    def test_with_a_target_the_lower_of_the_two_holds(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, policy=[(500, 0.5)], clock=clock)
        run(sampler, clock, 1000, 10)
        assert sampler.probability < 0.05
        generous = AdaptiveSampler(10_000, policy=[(500, 0.5)], clock=clock)
        run(generous, clock, 1000, 10)
        assert generous.probability == 0.5


class TestTraceState:
    def test_a_kept_root_carries_its_threshold(
        self, exporter: InMemorySpanExporter, clock: ManualClock
    ) -> None:
        tracer = tracer_with(AdaptiveSampler(ceiling=0.5, clock=clock), exporter)
        while not exporter.get_finished_spans():
            with (
                tracer.start_as_current_span("root", attributes={"a": 1}),
                tracer.start_as_current_span("child"),
            ):
                pass
        child, root = exporter.get_finished_spans()
        assert root.attributes == {"a": 1}
        for span in (root, child):
            assert span.context is not None
            assert dict(span.context.trace_state) == {"ot": "th:8"}

    def test_explicit_randomness_decides_and_stays(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(ceiling=0.5, follow_remote_parent=False, clock=clock)
        for randomness, kept in (("7fffffffffffff", False), ("80000000000000", True)):
            state = TraceState([("vendor", "x"), ("ot", f"th:4;rv:{randomness};p:8")])
            result = sampler.should_sample(remote_parent(sampled=True, trace_state=state), 1, "x")
            assert (result.decision is Decision.RECORD_AND_SAMPLE) is kept
            assert result.trace_state is not None
            threshold = "th:8;" if kept else ""
            assert dict(result.trace_state) == {"vendor": "x", "ot": f"{threshold}rv:{randomness};p:8"}

    @pytest.mark.parametrize("sampled", [True, False])
    def test_a_span_with_a_parent_follows_it(self, sampled: bool, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(clock=clock)
        state = TraceState([("vendor", "x")])
        result = sampler.should_sample(
            remote_parent(sampled=sampled, trace_state=state), 1, "x", attributes={"a": 1}
        )
        assert (result.decision is Decision.RECORD_AND_SAMPLE) is sampled
        assert dict(result.attributes or {}) == ({"a": 1} if sampled else {})
        assert result.trace_state == state
        assert sampler.statistics().decided == 0

    @pytest.mark.parametrize(
        ("sampled", "entry", "left"),
        [
            (True, "th:8;rv:90000000000000", "th:8;rv:90000000000000"),
            (True, "th:8;rv:10000000000000", "rv:10000000000000"),
            (False, "th:8;rv:10000000000000", "th:8;rv:10000000000000"),
            (False, "th:8;rv:90000000000000", "rv:90000000000000"),
            (True, "th:8", ""),
        ],
    )
    def test_a_remote_threshold_that_contradicts_the_sampled_flag_is_erased(
        self, sampled: bool, entry: str, left: str, clock: ManualClock
    ) -> None:
        parent = remote_parent(sampled=sampled, trace_state=TraceState([("ot", entry)]))
        result = AdaptiveSampler(clock=clock).should_sample(parent, 1, "x")
        assert result.trace_state is not None
        assert result.trace_state.get("ot", "") == left


class TestTuning:
    def test_a_new_target_takes_effect_at_once(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, clock=clock)
        run(sampler, clock, 1000, 20)
        sampler.update(target=100, burst_window=2)
        run(sampler, clock, 1000, 5)
        assert run(sampler, clock, 1000, 20) == pytest.approx(2000, rel=0.15)
        assert sampler.tuning == Tuning(100, burst_window=2)

    def test_a_new_budget_never_grants_more_than_its_own_burst(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(1000, clock=clock)
        sampler.update(target=10)
        assert run(sampler, clock, 1_000_000, 0.05) <= 51

    def test_budget_and_policy_can_replace_each_other(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, clock=clock)
        run(sampler, clock, 100, 10)
        sampler.update(target=None, policy=[[50, 0.5]])
        run(sampler, clock, 100, 10)
        assert sampler.probability == 0.5
        sampler.update(target=20, policy=())
        run(sampler, clock, 100, 20)
        assert run(sampler, clock, 100, 20) == pytest.approx(400, rel=0.2)

    def test_wrong_values_are_all_named_and_change_nothing(self, clock: ManualClock) -> None:
        sampler = AdaptiveSampler(20, clock=clock)
        with pytest.raises(SettingsError) as raised:
            sampler.update(target=-1, burst_window=0, floor=0.5, ceiling=0.1, policy=[(5, 2.0), (4, 0.1), 3])
        assert raised.value.problems == [
            "target: must be traces a second above 0, not -1",
            "burst_window: must be seconds above 0, not 0",
            "floor: must not be above the ceiling, 0.1; it is 0.5",
            "policy[0]: must be a probability from 0 to 1, not 2.0",
            "policy[1]: rates must ascend, but 4 follows 5",
            "policy[2]: must be (traces a second, probability), not 3",
        ]
        assert sampler.tuning == Tuning(20)
        with pytest.raises(TypeError):
            sampler.update(tarnet=3)
        with pytest.raises(SettingsError, match="max_keys"):
            AdaptiveSampler(max_keys=0)
        with pytest.raises(SettingsError, match="target: needed unless"):
            sampler.update(target=None)

    def test_the_description_names_the_dials(self, clock: ManualClock) -> None:
        assert AdaptiveSampler(policy=[(500, 0.5)], clock=clock).get_description() == (
            "AdaptiveSampler{policy=500:0.5,recovery=10,floor=0,ceiling=1}"
        )
        assert AdaptiveSampler(clock=clock).get_description() == (
            "AdaptiveSampler{target=20,burst=5,recovery=10,floor=0,ceiling=1}"
        )


class TestBarrier:
    def test_a_key_function_that_raises_spoils_no_decision(
        self, clock: ManualClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(_name: str, attributes: Mapping[str, Any]) -> str:
            return str(attributes["missing"])

        sampler = AdaptiveSampler(key=broken, clock=clock)
        for _ in range(3):
            assert sampler.should_sample(None, 1, "x").decision is Decision.RECORD_AND_SAMPLE
        assert sampler.statistics().failures == 3
        assert len(caplog.records) == 1

    def test_a_clock_that_raises_drops_and_follows(self) -> None:
        readings: Iterator[float] = iter([0.0])
        sampler = AdaptiveSampler(clock=lambda: next(readings))
        assert sampler.should_sample(None, 1, "x").decision is Decision.DROP
        followed = sampler.should_sample(remote_parent(sampled=True), 1, "x")
        assert followed.decision is Decision.RECORD_AND_SAMPLE


def test_four_threads_together_stay_within_the_budget(clock: ManualClock) -> None:
    sampler = AdaptiveSampler(20, clock=clock)
    kept: list[int] = []

    def offer(seed: int) -> None:
        source = seeded(seed)
        decisions = [sampler.should_sample(None, source.getrandbits(128), "x").decision for _ in range(5000)]
        kept.append(decisions.count(Decision.RECORD_AND_SAMPLE))

    threads = [threading.Thread(target=offer, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statistics = sampler.statistics()
    assert (statistics.decided, statistics.kept) == (20_000, sum(kept))
    assert sum(kept) <= 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_in_the_middle_of_a_decision_can_decide(clock: ManualClock) -> None:
    sampler = AdaptiveSampler(clock=clock)
    gc.collect()
    with sampler._lock:
        child = os.fork()
        if child == 0:
            decided = sampler.should_sample(None, 1, "x").decision is Decision.RECORD_AND_SAMPLE
            os._exit(0 if decided else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
