"""What goes wrong inside measuring stays inside, is counted, and costs nobody else's measurement."""

from __future__ import annotations

import math
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace import Telemetry, measure
from ticktrace.catalog import CATALOG
from ticktrace.engine import Recent, internal_errors
from ticktrace.measuring import Statistics, Stats, _measure, _sites, current_target, duration_of, site_of
from ticktrace.settings import RecentSettings

if TYPE_CHECKING:
    from collections.abc import Callable

DURATION = "ticktrace.measure.duration"


def test_a_fault_of_the_engine_while_settling_does_not_reach_who_asks() -> None:
    def settle() -> None:
        raise OSError

    recent = Recent()
    recent.add("x", {}, [1])
    before = internal_errors()
    asked = Statistics(lambda: recent, settle, RecentSettings())
    assert asked.of("x").count == 1
    assert internal_errors() == before + 1
    assert asked.of("x", settle=False).count == 1
    assert internal_errors() == before + 1


@pytest.mark.parametrize("wrong", [{"window": "long"}, {"last": "few"}, {"percentiles": [math.nan]}])
def test_a_question_that_makes_no_sense_is_answered_with_nothing(wrong: dict[str, Any]) -> None:
    recent = Recent()
    recent.add("x", {}, [1])
    asked = Statistics(lambda: recent, lambda: None, RecentSettings())
    before = internal_errors()
    assert asked.of("x", **wrong) == Stats()
    assert asked.by_series("x", **wrong) == []
    assert internal_errors() == before + 2


def test_an_instrument_that_raises_does_not_reach_the_block(telemetry: Telemetry) -> None:
    def broken(_value: float) -> None:
        raise OSError

    timer = measure("broken")
    function = measure("broken")(lambda: 1)
    site = duration_of("broken", {})
    before = internal_errors()
    site.write = broken
    with timer:
        pass
    assert function() == 1
    site.write = broken
    with pytest.raises(KeyError), timer:
        raise KeyError
    assert internal_errors() == before + 2
    assert Captured(telemetry).count(DURATION, error__type="KeyError") == 1


def test_the_same_name_and_attributes_are_one_site_and_others_are_another() -> None:
    assert duration_of("x", {"symbol": "A"}) is duration_of("x", {"trading.symbol": "A"})
    assert duration_of("x", {"symbol": "A"}) is not duration_of("x", {"symbol": "B"})
    spec = CATALOG["trading.signals.generated"]
    assert site_of(spec, {}) is site_of(spec, {})


def test_sites_that_are_not_used_take_no_word_and_make_no_series(start: Callable[..., Telemetry]) -> None:
    timers = [measure(f"unused {number}") for number in range(300)]
    telemetry = start()
    with measure("used"):
        pass
    (point,) = Captured(telemetry).points(DURATION)
    assert point.attributes["ticktrace.measure.name"] == "used"
    assert len(timers) == 300


def test_sites_beyond_the_bound_are_forgotten_and_still_record(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sites, "_MOST_KEPT", 0)
    monkeypatch.setattr(_measure, "_MOST_CALLS", 0)
    sites, calls = len(_sites._sites._kept), len(_measure._known)
    for number in range(100):
        with measure("many", component=f"part {number}"):
            pass
    assert (len(_sites._sites._kept), len(_measure._known)) == (sites, calls)
    assert Captured(telemetry).count(DURATION, ticktrace__measure__name="many") == 100


def test_telemetry_that_comes_and_goes_under_recording_threads_breaks_nothing(
    start: Callable[..., Telemetry],
) -> None:
    timer = measure("busy")
    stop = threading.Event()
    before = internal_errors()

    def work() -> None:
        while not stop.wait(0.0001):
            with timer:
                pass

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(3):
            telemetry = start(f"bot {number}")
            while not telemetry.stats("busy").count:
                stop.wait(0.001)
            telemetry.shutdown()
            assert current_target() is None
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert internal_errors() == before


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_that_has_no_telemetry_can_measure_while_a_lock_was_held() -> None:
    """The lock's holder does not exist in the child; waiting for it would be for ever."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with _sites._sites.lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        with measure("in the child, for the first time"):
            pass
        os._exit(17)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
