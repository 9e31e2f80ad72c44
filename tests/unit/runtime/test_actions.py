"""What is done when a limit is exceeded: in order, once, recorded, and never what stops the bot unless it may."""

from __future__ import annotations

import functools
import gc
import logging
import logging.handlers
import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support.waiting import until
from ticktrace.errors import SettingsError
from ticktrace.runtime.actions import Action, Actions
from ticktrace.runtime.limits import Crossing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ticktrace import Telemetry
    from ticktrace.runtime import ResourceMonitor

LIMITS = {
    "cpu_percent": None,
    "memory_percent": None,
    "memory_bytes": 1,
    "disk_percent": None,
    "threads": None,
    "open_files": None,
}


@pytest.fixture
def watched(start: Callable[..., Telemetry]) -> Callable[..., ResourceMonitor]:
    """A monitor that finds the process's memory beyond its limit, always, unless told otherwise."""

    def make(**resources: Any) -> ResourceMonitor:
        resources.setdefault("interval", 0.1)
        resources.setdefault("observations", 1)
        resources["limits"] = {**LIMITS, **resources.get("limits", {})}
        return start(resources=resources).watch_resources()

    return make


def outcomes(monitor: ResourceMonitor) -> list[tuple[str, str]]:
    return [(record.action, record.outcome) for record in monitor.records]


def test_actions_run_in_order_once_and_are_recorded(watched: Callable[..., ResourceMonitor]) -> None:
    monitor = watched()
    ran: list[str] = []
    monitor.add_action("last", lambda: ran.append("last"), on=["memory_bytes"], priority=90)
    monitor.add_action("first", lambda: ran.append("first"), on=["memory_bytes"], priority=1)

    def second_of_three() -> str:
        ran.append("second")
        return "did it"

    monitor.add_action("second", second_of_three, on=["memory_bytes"], cool_down=0.01)
    assert until(lambda: len(monitor.records) == 3)
    seen = len(monitor.history)
    assert until(lambda: len(monitor.history) >= seen + 3)  # still beyond, and nothing is done again
    assert ran == ["first", "second", "last"]
    assert outcomes(monitor) == [("first", "ran"), ("second", "ran"), ("last", "ran")]
    second = monitor.records[1]
    assert (second.limit, second.threshold, second.crossing, second.note) == ("memory_bytes", 1, 1, "did it")
    assert second.value > 1_000_000
    assert second.before is not None
    assert second.after is not None
    assert second.gained == second.before - second.after
    assert second.seconds is not None
    assert second.seconds < 10
    assert second.unix == pytest.approx(time.time(), abs=60)


def test_a_crossing_is_over_when_the_figure_is_back_and_the_next_one_counts(
    watched: Callable[..., ResourceMonitor],
) -> None:
    held: list[int] = []
    limit = psutil.Process().num_fds() + 50
    monitor = watched(limits={"memory_bytes": None, "open_files": limit})

    def close() -> str:
        number = len(held)
        while held:
            os.close(held.pop())
        return f"closed {number}"

    monitor.add_action("close", close, on=["open_files"], cool_down=0.01)
    monitor.add_action("more", lambda: None, on=["open_files"], priority=60, cool_down=0.01)
    for crossing in (1, 2):
        assert until(lambda: not monitor.health().reasons)
        held += [os.open(os.devnull, os.O_RDONLY) for _ in range(100)]
        number = 2 * crossing
        assert until(lambda: len(monitor.records) >= number)  # noqa: B023  called at once
    assert outcomes(monitor) == [("close", "ran"), ("more", "not_needed")] * 2
    assert [record.crossing for record in monitor.records] == [1, 1, 2, 2]
    assert [record.gained for record in monitor.records[::2]] == [pytest.approx(100, abs=5)] * 2
    assert monitor.records[0].note == "closed 100"


def test_what_fails_is_recorded_without_its_secrets_and_the_next_one_runs(
    watched: Callable[..., ResourceMonitor],
) -> None:
    monitor = watched()

    def fail() -> None:
        raise RuntimeError("no answer from https://user:hunter2@cache/flush")

    monitor.add_action("fail", fail, on=["memory_bytes"], priority=1)
    monitor.add_action("next", lambda: None, on=["memory_bytes"], priority=2)
    assert until(lambda: len(monitor.records) == 2)
    assert outcomes(monitor) == [("fail", "failed"), ("next", "ran")]
    assert monitor.records[0].note.startswith("RuntimeError: no answer from https://")
    assert "hunter2" not in monitor.records[0].note


def test_one_that_hangs_ends_neither_observing_nor_the_shutdown(start: Callable[..., Telemetry]) -> None:
    telemetry = start(resources={"interval": 0.1, "observations": 1, "limits": LIMITS})
    monitor = telemetry.watch_resources()
    began, let_go = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        let_go.wait(30)

    monitor.add_action("hang", hang, on=["memory_bytes"])
    monitor.add_action("after", lambda: None, on=["memory_bytes"], priority=99)
    assert began.wait(20)
    seen = len(monitor.history)
    assert until(lambda: len(monitor.history) > seen + 2)
    telemetry.shutdown()
    assert not let_go.is_set()
    let_go.set()
    assert until(lambda: len(monitor.records) == 1)
    assert outcomes(monitor) == [("hang", "ran")]  # what came after it is not begun


def test_collecting_garbage_says_that_it_would_pause_and_does_not(
    watched: Callable[..., ResourceMonitor], caplog: pytest.LogCaptureFixture
) -> None:
    gc.disable()  # what CPython collects by itself is not what is looked for
    try:
        before = gc.get_stats()[2]["collections"]
        monitor = watched(actions={"collect_garbage": {"on": "memory_bytes"}})
        assert until(lambda: monitor.records)
        assert gc.get_stats()[2]["collections"] == before
    finally:
        gc.enable()
    (record,) = monitor.records
    assert (record.outcome, record.seconds) == ("would_pause", None)
    assert record.expected_pause > 0
    assert until(lambda: "resources.allow_pauses is false" in caplog.text)  # said after it is recorded


def test_collecting_garbage_with_leave_says_for_how_long_it_did(
    watched: Callable[..., ResourceMonitor],
) -> None:
    class Cyclic:
        def __init__(self) -> None:
            self.me = self

    for _ in range(1_000):
        Cyclic()
    monitor = watched(actions={"collect_garbage": {"on": "memory_bytes"}}, allow_pauses=True)
    assert until(lambda: monitor.records)
    (record,) = monitor.records
    assert record.outcome == "ran"
    assert "unreachable objects; stopped all threads for" in record.note
    assert record.paused is not None
    assert record.seconds is not None
    assert 0 < record.paused <= record.seconds + 1


def test_a_callback_that_is_said_to_pause_needs_leave(watched: Callable[..., ResourceMonitor]) -> None:
    monitor = watched()
    ran: list[int] = []
    monitor.add_action("stop", lambda: ran.append(1), on=["memory_bytes"], pauses=True)
    assert until(lambda: monitor.records)
    assert (outcomes(monitor), ran) == ([("stop", "would_pause")], [])


def test_a_pause_that_was_not_declared_is_said(
    watched: Callable[..., ResourceMonitor], caplog: pytest.LogCaptureFixture
) -> None:
    monitor = watched()
    # One call into C that holds the GIL for a tenth of a second or more.
    monitor.add_action(
        "sort", lambda: sorted(range(4_000_000), key=(-1).__mul__) and None, on=["memory_bytes"]
    )
    assert until(lambda: monitor.records)
    (record,) = monitor.records
    assert record.paused is not None
    assert record.paused > 0.02
    assert until(lambda: "an action that does so needs pauses=True" in caplog.text)


def test_a_dry_run_does_nothing_and_says_what_it_would(
    watched: Callable[..., ResourceMonitor], tmp_path: Path
) -> None:
    log = tmp_path / "old.log.1"
    log.write_text("x")
    os.utime(log, (0, 0))
    cache = {"a": 1}
    monitor = watched(
        dry_run=True,
        allow_pauses=True,
        prune={"files": [f"{tmp_path}/*.log.*"], "keep": 0},
        snapshots={"directory": str(tmp_path / "memory")},
        actions={
            name: {"on": "memory_bytes"}
            for name in ("memory_snapshot", "clear_caches", "collect_garbage", "prune_logs", "rotate_logs")
        },
    )
    monitor.add_cache("a", cache)
    ran: list[int] = []
    monitor.add_action("own", lambda: ran.append(1), on=["memory_bytes"])
    assert until(lambda: len(monitor.records) == 6)
    assert outcomes(monitor) == [
        (name, "dry_run")
        for name in ("memory_snapshot", "clear_caches", "collect_garbage", "prune_logs", "rotate_logs", "own")
    ]
    assert (log.exists(), cache, ran, (tmp_path / "memory").exists()) == (True, {"a": 1}, [], False)


def test_caches_are_cleared(watched: Callable[..., ResourceMonitor]) -> None:
    @functools.lru_cache
    def square(number: int) -> int:
        return number * number

    square(2)
    large = {number: number for number in range(50_000)}
    ordered = OrderedDict(large)
    monitor = watched(actions={"clear_caches": {"on": "memory_bytes"}})
    cleared: list[int] = []
    monitor.add_cache("large", large)
    monitor.add_cache("ordered", ordered)
    monitor.add_cache("square", square)
    monitor.add_cache("own", lambda: cleared.append(1))
    monitor.add_cache("broken", lambda: 1 / 0)
    monitor.add_cache("slow", lambda: cleared.append(2), pauses=True)
    assert until(lambda: monitor.records)
    (record,) = monitor.records
    assert (record.outcome, len(large), len(ordered), square.cache_info().currsize) == ("ran", 0, 0, 0)
    assert cleared == [1]
    assert record.note.split("; ") == [
        "cleared large, 50,000 entries",
        "cleared ordered, 50,000 entries",
        "cleared square, 1 entries",
        "cleared own",
        "broken failed: ZeroDivisionError",
        "left slow, which would stop the trading thread for 0.5 ms",
    ]


def test_a_large_lru_cache_is_left_alone_without_leave(watched: Callable[..., ResourceMonitor]) -> None:
    square = functools.lru_cache(maxsize=None)(abs)
    for number in range(10_000):
        square(number)
    monitor = watched(actions={"clear_caches": {"on": "memory_bytes"}})
    monitor.add_cache("square", square)
    assert until(lambda: monitor.records)
    assert monitor.records[0].note.startswith("left square, which would stop the trading thread for")
    assert square.cache_info().currsize == 10_000


def test_what_is_no_cache_is_refused(watched: Callable[..., ResourceMonitor]) -> None:
    with pytest.raises(SettingsError, match="the cache a is neither a mapping nor a function: int"):
        watched().add_cache("a", 5)  # type: ignore[arg-type]  # that is the point


def test_old_logs_are_removed_and_nothing_else(
    watched: Callable[..., ResourceMonitor], tmp_path: Path
) -> None:
    names = [f"app.log.{number}" for number in range(1, 6)]
    for age, name in enumerate([*names, "app.log", "data.csv"], start=1):
        (tmp_path / name).write_text("x" * 100)
        os.utime(tmp_path / name, (time.time() - 3600 * age,) * 2)
    (tmp_path / "app.log.9").write_text("written just now")
    (tmp_path / "app.log.8").symlink_to(tmp_path / "data.csv")
    monitor = watched(
        actions={"prune_logs": {"on": "memory_bytes"}},
        prune={"files": [f"{tmp_path}/app.log.*", f"{tmp_path}/gone/*.log"], "keep": 2},
    )
    assert until(lambda: monitor.records)
    assert monitor.records[0].note == "removed 4 files, 0.0 MB"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "app.log",
        "app.log.1",
        "app.log.8",
        "app.log.9",
        "data.csv",
    ]


@pytest.mark.parametrize("allowed", [False, True])
def test_logs_are_rotated_only_with_leave(
    watched: Callable[..., ResourceMonitor], tmp_path: Path, *, allowed: bool
) -> None:
    handler = logging.handlers.RotatingFileHandler(tmp_path / "bot.log", backupCount=2)
    logger = logging.getLogger("test.rotated")
    logger.addHandler(handler)
    try:
        logger.warning("before")
        monitor = watched(actions={"rotate_logs": {"on": "memory_bytes"}}, allow_pauses=allowed)
        assert until(lambda: monitor.records)
        logger.warning("after")
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert outcomes(monitor) == [("rotate_logs", "ran" if allowed else "would_pause")]
    assert (tmp_path / "bot.log.1").exists() is allowed
    assert (tmp_path / "bot.log").read_text() == ("after\n" if allowed else "before\nafter\n")


def test_a_limit_writes_a_memory_snapshot(watched: Callable[..., ResourceMonitor], tmp_path: Path) -> None:
    monitor = watched(
        actions={"memory_snapshot": {"on": "memory_bytes"}},
        snapshots={"directory": str(tmp_path), "max_objects": 20_000},
        allow_pauses=True,
    )
    assert until(lambda: monitor.records)
    (record,) = monitor.records
    assert record.outcome == "ran"
    assert [str(path) for path in tmp_path.iterdir()] == [record.note]


class _Clocked:
    """Actions, and a figure that they can be told."""

    def __init__(self, **options: Any) -> None:
        self.figure: float | None = 10.0
        self.ran: list[str] = []
        self.actions = Actions(
            **{"dry_run": False, "allow_pauses": False, **options}, now=lambda _: self.figure, scrub=str
        )

    def add(self, name: str, *, on: Sequence[str] = ("threads",), cool_down: float = 60.0) -> None:
        self.actions.add(Action(name, tuple(on), lambda: self.ran.append(name), 50, cool_down, lambda: 0.0))

    def told(self) -> list[tuple[str, str, int]]:
        return [(record.action, record.outcome, record.crossing) for record in self.actions.records]


def test_one_that_cools_down_waits_its_turn_and_then_has_it() -> None:
    clocked = _Clocked()
    clocked.add("a", cool_down=0.2)
    clocked.add("b", cool_down=60)
    first, second = Crossing("threads", 5, 10, 1), Crossing("threads", 5, 10, 2)
    clocked.actions.run(first)
    assert not clocked.actions.due(first)
    clocked.actions.run(second)
    assert clocked.told() == [
        ("a", "ran", 1),
        ("b", "ran", 1),
        ("a", "cooling_down", 2),
        ("b", "cooling_down", 2),
    ]
    assert not clocked.actions.due(second)  # it was said, and is not said again
    assert until(lambda: clocked.actions.due(second))
    clocked.actions.run(second)
    assert clocked.told()[4:] == [("a", "ran", 2)]
    assert clocked.ran == ["a", "b", "a"]


def test_a_crossing_that_is_over_is_none_of_theirs() -> None:
    clocked = _Clocked()
    clocked.add("a")
    clocked.add("other", on=["open_files"])
    crossing = Crossing("threads", 5, 10, 1)
    crossing.over = True
    clocked.actions.run(crossing)
    assert (clocked.ran, clocked.told()) == ([], [])


def test_the_record_is_bounded() -> None:
    clocked = _Clocked(dry_run=True)
    clocked.add("a", cool_down=1e-9)
    for number in range(1_100):
        clocked.actions.run(Crossing("threads", 5, 10, number))
    assert [record.crossing for record in clocked.actions.records] == list(range(100, 1_100))


def test_an_action_of_the_same_name_takes_the_place_of_the_first() -> None:
    clocked = _Clocked()
    clocked.add("a")
    clocked.actions.add(Action("a", ("threads",), lambda: clocked.ran.append("new"), 50, 60, lambda: 0.0))
    clocked.actions.run(Crossing("threads", 5, 10, 1))
    assert clocked.ran == ["new"]
