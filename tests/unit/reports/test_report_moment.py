"""Times and durations as users write them."""

from __future__ import annotations

import pytest

from ticktrace.reports.moment import parse_duration, parse_time, parse_time_of_day
from ticktrace.reports.words import duration, figure, percent, utc


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("6h", 21_600),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1d12h", 129_600),
        ("1.5 h", 5_400),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "6", "h", "6y", "2026-01-01", "6h!", "-6h"])
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-10-09T09:00:00Z", 1_760_000_400),
        ("2025-10-09T09:00", 1_760_000_400),
        ("2025-10-09 11:00+02:00", 1_760_000_400),
        ("1760000400", 1_760_000_400),
        ("1760000400.25", 1_760_000_400.25),
        ("2025-10-09", 1_759_968_000),
    ],
)
def test_times_are_utc_unless_they_name_a_zone(text: str, time: float) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize(
    "text", ["", "yesterday", "nan", "inf", "1e300", "-5", "2025", "1760000400000", "09:00"]
)
def test_what_is_no_time(text: str) -> None:
    assert parse_time(text) is None


def test_times_of_day() -> None:
    assert [parse_time_of_day(text) for text in ("14:05", "9:00:30", "24:00", "14:60", "14", "last")] == [
        50_700,
        32_430,
        None,
        None,
        None,
        None,
    ]


def test_words() -> None:
    assert [duration(seconds) for seconds in (0, 0.25, 59, 60, 270, 21_600, 97_200)] == [
        "0 s", "0.25 s", "59 s", "1 min", "4 min 30 s", "6 h", "1 d 3 h",
    ]  # fmt: skip
    assert [percent(share) for share in (0, 0.0001, 0.125, 0.99999, 1)] == [
        "0 %", "<0.1 %", "12.5 %", ">99.9 %", "100 %",
    ]  # fmt: skip
    assert [figure(value) for value in (1_000_000.0, 0.1234567, 3, float("inf"), "0.5", None)] == [
        "1,000,000", "0.123457", "3", "inf", "0.5", "\N{EN DASH}",
    ]  # fmt: skip
    assert (utc(1_760_000_400), utc(1_760_000_400.5)) == ("2025-10-09T09:00:00Z", "2025-10-09T09:00:00.500Z")
    assert utc(1e18) == "1000000000000000000"
