"""Keep rules: which traces are worth keeping, and why."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ticktrace.engine.deferred.tail import (
    DiscardReason,
    KeepReason,
    KeepRules,
    RunningQuantile,
    Tail,
    TraceFacts,
)
from ticktrace.engine.stamp import Happened

NOTHING = KeepRules(outcomes=Happened.NOTHING, slower_than_p99=False, head=False)


def facts(
    *,
    kind: str = "candle",
    seconds: float = 0.001,
    happened: int = Happened.NOTHING,
    head: bool = False,
    share: Any = None,
    matched: bool = False,
) -> TraceFacts:
    return TraceFacts(kind, seconds, happened, head, share, matched)


def rules(**changes: Any) -> KeepRules:
    return KeepRules(**{"outcomes": Happened.NOTHING, "slower_than_p99": False, "head": False, **changes})


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (Happened.ERROR, KeepReason.ERROR),
        (Happened.ORDER, KeepReason.ORDER),
        (Happened.ORDER | Happened.FILL, KeepReason.FILL),
        (Happened.ORDER | Happened.REJECTION, KeepReason.REJECTION),
        (Happened.ORDER | Happened.NEAR_MISS | Happened.ERROR, KeepReason.ERROR),
        (Happened.NEAR_MISS, KeepReason.NEAR_MISS),
        (Happened.NOTHING, DiscardReason.BORING),
    ],
)
def test_the_rarest_outcome_is_the_reason(happened: int, reason: str) -> None:
    assert Tail(KeepRules(head=False, slower_than_p99=False), 0).judge(facts(happened=happened), 0) == reason


def test_outcomes_that_the_rules_do_not_name_keep_nothing() -> None:
    tail = Tail(rules(outcomes=Happened.FILL), 0)
    assert tail.judge(facts(happened=Happened.ORDER), 0) is DiscardReason.BORING


def test_a_threshold_by_kind_and_one_for_all_others() -> None:
    tail = Tail(rules(slower_than={"candle": 0.05, "*": 1.0}), 0)
    assert tail.judge(facts(seconds=0.06), 0) is KeepReason.SLOW
    assert tail.judge(facts(kind="GET", seconds=0.06), 0) is DiscardReason.BORING
    assert tail.judge(facts(kind="GET", seconds=1.5), 0) is KeepReason.SLOW


def test_the_running_p99_keeps_about_one_in_a_hundred() -> None:
    tail = Tail(rules(slower_than_p99=True), 0)
    rng = random.Random(7)  # noqa: S311  repeatable, not secret
    kept = [tail.judge(facts(seconds=rng.lognormvariate(0, 1)), 0) for _ in range(5_000)]
    assert 25 <= kept.count(KeepReason.SLOW) <= 100
    assert KeepReason.SLOW not in kept[:100]  # it must first learn what is usual


def test_the_running_quantile_is_exact_over_its_window() -> None:
    quantile = RunningQuantile(0.5, window=5, least=1)
    for value in (5, 1, 4, 2, 3):
        quantile.exceeded(value)
    assert quantile.exceeded(3.5)  # above the median 3 of 1..5; pushes out the oldest, 5
    assert not quantile.exceeded(3)  # the median of 1, 2, 3, 3.5, 4 is 3


def test_an_attribute_anywhere_in_the_trace() -> None:
    wanted = rules(attributes={"user.vip": "yes", "attempts": "3"})
    tail = Tail(wanted, 0)
    for attributes, kept in (
        ({"user.vip": "yes", "x": 1}, True),
        ({"attempts": 3}, True),
        ({"user.vip": "no"}, False),
        ({}, False),
    ):
        judged = tail.judge(facts(matched=wanted.match(attributes)), 0)
        assert judged is (KeepReason.ATTRIBUTE if kept else DiscardReason.BORING)
    assert not rules(attributes={"user.vip": "None"}).match({})  # what is not there equals nothing


def test_rare_ones_get_their_share() -> None:
    tail = Tail(rules(share_key="strategy", share_per_minute=1), 0)
    seen: dict[str, int] = {}
    for second in range(180):
        for strategy in ("busy", "busy", "busy", *(("rare",) if second % 90 == 0 else ())):
            if tail.judge(facts(share=strategy), second) is KeepReason.SHARE:
                seen[strategy] = seen.get(strategy, 0) + 1
    assert seen == {"busy": 3, "rare": 2}


def test_a_share_of_endless_values_is_bounded() -> None:
    tail = Tail(rules(share_key="id"), 0)
    kept = sum(tail.judge(facts(share=number), 0) is KeepReason.SHARE for number in range(10_000))
    assert kept == 200


def test_what_the_sampler_wanted_is_kept() -> None:
    assert Tail(rules(head=True), 0).judge(facts(head=True), 0) is KeepReason.HEAD
    assert Tail(rules(head=True), 0).judge(facts(head=False), 0) is DiscardReason.BORING


def test_no_more_than_the_budget_in_any_time() -> None:
    tail = Tail(rules(head=True, max_per_second=10), 0)
    kept = [tail.judge(facts(head=True), step / 100) for step in range(1_000)]
    assert kept.count(KeepReason.HEAD) == pytest.approx(110, abs=1)
    assert kept.count(DiscardReason.BUDGET) == 1_000 - kept.count(KeepReason.HEAD)


def test_what_only_the_sampler_wanted_has_a_budget_of_its_own() -> None:
    tail = Tail(KeepRules(slower_than_p99=False, head_per_second=2), 0)
    plain, order = facts(head=True), facts(head=True, happened=Happened.ORDER)
    assert [tail.judge(plain, 0) for _ in range(3)] == [KeepReason.HEAD] * 2 + [DiscardReason.BORING]
    assert tail.judge(order, 0) is KeepReason.ORDER
    assert tail.judge(plain, 1) is KeepReason.HEAD


def test_a_trace_that_began_elsewhere_is_kept_whole() -> None:
    tail = Tail(KeepRules(slower_than_p99=False, head_per_second=1), 0)
    continued = facts(head=True)._replace(continued=True)
    assert [tail.judge(continued, 0) for _ in range(5)] == [KeepReason.HEAD] * 5
