from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ticktrace.objectives._window import Look, Window


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 400), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60
    ),
    seconds=st.integers(1, 900),
)
def test_a_window_begins_at_the_latest_look_at_or_before_it(
    steps: list[tuple[int, int, int]], seconds: int
) -> None:
    window = Window(seconds, 0)
    looks = [Look(0, 0, 0)]
    at = good = total = 0
    for step, better, worse in steps:
        at, good, total = at + step, good + better, total + better + worse
        look = Look(at, good, total)
        before = [one for one in looks if one.at <= at - seconds]
        assert window.add(look) == (before[-1] if before else looks[0])
        looks.append(look)


def test_however_often_one_looks_a_thousand_are_kept() -> None:
    window = Window(3_600, 0)
    for number in range(1, 200_000):
        since = window.add(Look(number / 10, number, number))
        assert number / 10 - 3_600 - 3.8 <= since.at <= max(0, number / 10 - 3_600)
    assert len(window._looks) <= 1_003
