from __future__ import annotations

import pytest
from opentelemetry.trace import TraceState

from ticktrace.sampling.threshold import (
    MAX_THRESHOLD,
    NO_STATE,
    OtelState,
    is_rejected,
    probability_of,
    threshold_of,
    trace_state_with,
)


@pytest.mark.parametrize(
    ("probability", "written"),
    [
        # The table of the specification, four digits of precision.
        (1, "0"),
        (1 / 2, "8"),
        (1 / 3, "aaab"),
        (1 / 4, "c"),
        (1 / 5, "cccd"),
        (1 / 8, "e"),
        (1 / 10, "e666"),
        (1 / 16, "f"),
        (1 / 100, "fd70a"),
        (1 / 1000, "ffbe77"),
        (1 / 10_000, "fff9724"),
        (1 / 100_000, "ffff583a"),
        (1 / 1_000_000, "ffffef39"),
    ],
)
def test_thresholds_are_those_of_the_specifications_table(probability: float, written: str) -> None:
    assert NO_STATE.entry(threshold_of(probability)) == f"th:{written}"


def test_the_ends_of_the_scale() -> None:
    assert threshold_of(0.0) == MAX_THRESHOLD
    assert threshold_of(2.0**-60) == MAX_THRESHOLD
    assert threshold_of(2.0**-56) == MAX_THRESHOLD - 1
    assert threshold_of(1.0) == 0
    assert probability_of(MAX_THRESHOLD) == 0.0
    assert probability_of(0) == 1.0


@pytest.mark.parametrize("probability", [1.0, 0.7, 0.1, 1e-3, 1e-9, 1e-15, 2.0**-56, 0.0])
def test_the_quick_test_rejects_nothing_that_the_threshold_keeps(probability: float) -> None:
    threshold = threshold_of(probability)
    if threshold < MAX_THRESHOLD:
        assert not is_rejected(probability, threshold)
        assert not is_rejected(probability, MAX_THRESHOLD - 1)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("th:8", OtelState(8 << 52)),
        ("th:0", OtelState(0)),
        ("th:C;rv:0123456789abcd", OtelState(12 << 52, 0x0123456789ABCD)),
        ("p:8;th:fd70a4;k:v", OtelState(0xFD70A4 << 32, None, ("p:8", "k:v"))),
        ("th:;rv:123", OtelState()),
        ("th:123456789abcdef;rv:xxxxxxxxxxxxxx", OtelState()),
        ("th:-8;rv:+123456789abcd;th_:8", OtelState(None, None, ("th_:8",))),
        ("k:" + "v" * 255, OtelState()),
    ],
)
def test_the_ot_entry_is_read_and_what_is_malformed_counts_as_absent(entry: str, expected: OtelState) -> None:
    assert OtelState.parse(TraceState([("ot", entry)])) == expected


def test_randomness_is_explicit_or_the_last_56_bits_of_the_trace_id() -> None:
    assert OtelState().randomness_of(0xFFFF_0000_0000_0000_AB12_3456_789A_BCDE) == 0x12_3456_789A_BCDE
    assert OtelState(None, 7).randomness_of(1) == 7


def test_writing_keeps_everything_else() -> None:
    other = TraceState([("vendor", "x"), ("ot", "p:8;th:8;rv:00000000000007")])
    state = OtelState.parse(other)
    changed = trace_state_with(other, state, threshold_of(0.25))
    assert changed is not None
    assert dict(changed) == {"ot": "th:c;rv:00000000000007;p:8", "vendor": "x"}
    erased = trace_state_with(other, state, None)
    assert erased is not None
    assert erased["ot"] == "rv:00000000000007;p:8"
    only = TraceState([("ot", "th:8")])
    gone = trace_state_with(only, OtelState.parse(only), None)
    assert gone is not None
    assert len(gone) == 0


def test_a_full_tracestate_is_left_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    full = TraceState([(f"v{number}", "x") for number in range(32)])
    assert trace_state_with(full, NO_STATE, 0) is full
    assert caplog.records == []


def test_members_that_no_longer_fit_are_left_out() -> None:
    entry = "th:8;a:" + "x" * 200 + ";b:" + "y" * 40
    written = OtelState.parse(TraceState([("ot", entry)])).entry(threshold_of(1 / 1_000_000))
    assert written == "th:ffffef39;a:" + "x" * 200
