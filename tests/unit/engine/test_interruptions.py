"""What stopped threads lately: a bounded memory of it."""

from __future__ import annotations

import gc

from ticktrace.engine import Cause, Interruption, Interruptions

MS = 1_000_000


def pause(began: int, ended: int, *, thread: int | None = None) -> Interruption:
    return Interruption(Cause.GC, began * MS, ended * MS, "2", thread=thread)


def within(
    interruptions: Interruptions, began: int, ended: int, thread: int = 1
) -> list[tuple[float, float]]:
    found = interruptions.within(began * MS, ended * MS, thread)
    return [(one.began / MS, one.ended / MS) for one in found]


def test_only_what_falls_into_the_time_counts_and_only_as_far_as_it_does() -> None:
    interruptions = Interruptions()
    for began, ended in ((0, 5), (8, 12), (20, 25), (38, 45), (50, 60)):
        interruptions.add(pause(began, ended))
    assert within(interruptions, 10, 40) == [(10, 12), (20, 25), (38, 40)]
    assert within(interruptions, 12, 20) == []
    assert within(Interruptions(), 0, 100) == []


def test_what_stops_one_thread_is_nothing_to_others() -> None:
    interruptions = Interruptions()
    interruptions.add(pause(1, 2, thread=7))
    interruptions.add(pause(3, 4))
    assert within(interruptions, 0, 10, thread=7) == [(1, 2), (3, 4)]
    assert within(interruptions, 0, 10, thread=8) == [(3, 4)]
    assert within(interruptions, 0, 10, thread=0) == [(3, 4)]
    interruptions.home = 7
    assert within(interruptions, 0, 10, thread=0) == [(1, 2), (3, 4)]


def test_what_is_told_late_is_found_before_what_has_ended_since() -> None:
    interruptions = Interruptions()
    interruptions.add(pause(20, 21))
    interruptions.add(pause(1, 15))
    interruptions.add(pause(30, 31))
    assert within(interruptions, 0, 22) == [(1, 15), (20, 21)]


def test_the_oldest_makes_room() -> None:
    interruptions = Interruptions()
    for number in range(2_000):
        interruptions.add(pause(number, number + 1))
    found = within(interruptions, 0, 5_000)
    assert len(found) == 512
    assert found[-1] == (1999, 2000)


def test_what_goes_on_counts_up_to_the_end_of_the_time() -> None:
    interruptions = Interruptions()
    interruptions.unfinished = (
        lambda now: Interruption(Cause.LOOP, 5 * MS, now, "f", thread=1),
        lambda now: None,
    )
    assert within(interruptions, 0, 9) == [(5, 9)]
    assert within(interruptions, 0, 9, thread=2) == []


def test_it_may_be_added_to_while_it_is_read() -> None:
    """A garbage collection begins wherever memory is taken, in the middle of reading too."""
    interruptions = Interruptions()

    def collected(phase: str, _: object) -> None:
        if phase == "stop":
            interruptions.add(pause(1, 2))

    before = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(200):
            assert len(within(interruptions, 0, 3)) <= 512
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collected)
    assert len(within(interruptions, 0, 3)) > 10
