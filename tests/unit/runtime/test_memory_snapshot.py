"""Memory snapshots: what grew is named, nothing of the application's runs, and no trouble reaches it."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import threading
import time
import weakref
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support.programs import PROGRAMS, run_program
from support.waiting import until
from ticktrace.engine import internal_errors
from ticktrace.errors import SnapshotError
from ticktrace.runtime import MemorySnapshot, diff, load_snapshot, store_snapshot, take_snapshot
from ticktrace.runtime.snapshot import MemorySnapshots
from ticktrace.settings import SnapshotSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ticktrace import Telemetry

SETTINGS = SnapshotSettings(types=20_000)
HERE = f"{__name__}."


class Candle:
    def __init__(self, close: float) -> None:
        self.close = close


class Book:
    """What keeps candles alive in the test of referrers."""

    def __init__(self) -> None:
        self.candles = [Candle(1.0) for _ in range(100)]


def taken(**settings: Any) -> MemorySnapshot:
    return take_snapshot(SETTINGS.model_copy(update=settings), "bot", "api")


def counted(snapshot: MemorySnapshot, name: str) -> tuple[int, int]:
    """Tracked and untracked objects of a type."""
    row = next((row for row in snapshot.types if row.type == name), None)
    return (0, 0) if row is None else (row.count, row.untracked)


def test_objects_are_counted_by_type_exactly() -> None:
    candles = [Candle(float(number)) for number in range(1_234)]
    snapshot = taken()
    assert counted(snapshot, HERE + "Candle") == (1_234, 0)
    row = next(row for row in snapshot.types if row.type == HERE + "Candle")
    assert row.bytes == sum(map(sys.getsizeof, candles))
    assert (snapshot.complete, snapshot.step, snapshot.walked) == (True, 1, snapshot.tracked)
    assert snapshot.tracked == pytest.approx(len(gc.get_objects()), rel=0.05)
    assert snapshot.process.pid == os.getpid()
    assert snapshot.sites is None


def test_what_the_collector_does_not_know_is_estimated() -> None:
    """A dict or tuple of numbers and text is untracked before CPython 3.14, and is what a bot keeps of its ticks."""
    gc.collect()
    before = taken()
    ticks = [{"price": number * 1.5, "symbol": f"S{number}"} for number in range(20_000)]
    pairs = deque((number * 1.5, str(number)) for number in range(3_000))
    blobs = [{number: bytes(100) for number in range(3_000)}]  # a local variable alone is seen by nobody
    gc.collect()  # which is when tuples become untracked
    after = taken()
    grown = {row.type: row.count for row in diff(before, after, 1_000).types}
    assert grown["builtins.dict"] == pytest.approx(20_000, rel=0.1)
    assert grown["builtins.tuple"] == pytest.approx(3_000, rel=0.3)
    assert grown["builtins.bytes"] == pytest.approx(3_000, rel=0.1)
    assert grown["builtins.str"] == pytest.approx(23_000, rel=0.2)
    assert (len(ticks), len(pairs), len(blobs)) == (20_000, 3_000, 1)


def test_a_leak_of_a_thousand_objects_a_second_is_named_first(
    start: Callable[..., Telemetry], tmp_path: Path
) -> None:
    telemetry = start(resources={"snapshots": {"directory": str(tmp_path)}})
    leaked: list[Candle] = []
    rows: list[dict[str, float]] = []
    stop = threading.Event()

    def leak() -> None:
        while not stop.wait(0.01):
            leaked.extend(Candle(1.0) for _ in range(10))
            rows.extend({"n": 1.5} for _ in range(20))  # of the interpreter's own, even more

    thread = threading.Thread(target=leak)
    thread.start()
    try:
        assert until(lambda: leaked)
        first = telemetry.memory_snapshot().result(30)
        enough = len(leaked) + 500
        assert until(lambda: len(leaked) > enough)
        second = telemetry.memory_snapshot().result(30)
    finally:
        stop.set()
        thread.join()
    assert first.path is not None
    assert second.path is not None
    found = diff(load_snapshot(first.path), load_snapshot(second.path))
    assert found.types[0].type == HERE + "Candle"
    assert found.types[0].count >= 500
    assert (found.types[0].per_second or 0) > 50
    assert "builtins.dict" in [row.type for row in found.types[:3]]


def test_a_leak_in_another_process_is_named_first_by_its_files_with_the_lines_that_allocated_it(
    tmp_path: Path,
) -> None:
    run_program("leaking.py", tmp_path)
    first, second = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    found = diff(load_snapshot(first), load_snapshot(second))
    assert found.types[0].type == "__main__.Tick"
    assert found.types[0].count >= 700  # one object in some was looked at
    assert found.sites is not None
    source = (PROGRAMS / "leaking.py").read_text().splitlines()
    named = {
        source[site.line - 1].strip(): site.count
        for site in found.sites[:2]
        if site.file.endswith("leaking.py")
    }
    # An object and its number, a list and its other number.
    assert named == {
        "leaked.extend(Tick(1.5 * number) for number in range(10))": pytest.approx(
            2 * found.types[0].count, rel=0.3
        ),
        "self.levels = [price, price + 0.5]": pytest.approx(2 * found.types[0].count, rel=0.3),
    }


def test_what_keeps_objects_alive_is_told() -> None:
    book = Book()
    globals()["_the_book"] = book
    try:
        snapshot = take_snapshot(SETTINGS, "bot", "api", referrers=HERE + "Candle")
    finally:
        del globals()["_the_book"]
    found = snapshot.referrers
    assert found is not None
    assert (found.type, found.instances, found.looked_at, found.complete) == (HERE + "Candle", 100, 5, True)
    paths = [chain.path for chain in found.chains]
    wanted = [f"module {__name__}._the_book", HERE + "Book.candles", "builtins.list", HERE + "Candle"]
    assert any(path[-2:] == wanted[-2:] for path in paths)
    assert any(wanted[0] in path and path[-3:] == wanted[-3:] for path in paths), paths


def test_referrers_of_a_type_that_there_is_not() -> None:
    found = take_snapshot(SETTINGS, "bot", "api", referrers="NoSuchThing").referrers
    assert found is not None
    assert (found.instances, found.chains) == (0, [])


def test_keys_that_are_no_names_are_not_written_down() -> None:
    secret = {"sk-live-4711 hunter2": Candle(1.0)}
    snapshot = take_snapshot(SETTINGS, "bot", "api", referrers=HERE + "Candle")
    assert secret
    assert "hunter2" not in msgspec.json.encode(snapshot).decode()
    assert snapshot.referrers is not None
    assert any(path[-2] == "dict" for path in (chain.path for chain in snapshot.referrers.chains))


class _Evil:
    """Says nothing about itself without raising."""

    def _never(self, *_: Any) -> Any:
        ran.append(1)
        raise RuntimeError("an object was asked")

    __sizeof__ = __len__ = __iter__ = __hash__ = __bool__ = __repr__ = __getattr__ = __eq__ = _never
    __class__ = property(_never)
    __dict__ = property(_never)


class _EvilMeta(type):
    def __hash__(cls) -> int:
        ran.append(2)
        raise RuntimeError("a class was asked")

    def __eq__(cls, other: object) -> bool:
        ran.append(2)
        raise RuntimeError("a class was asked")

    def __getattribute__(cls, name: str) -> Any:
        if armed:
            ran.append(3)
            raise RuntimeError("a class was asked")
        return super().__getattribute__(name)

    def __instancecheck__(cls, instance: object) -> bool:
        ran.append(4)
        raise RuntimeError("a class was asked")


class _EvilList(list[Any]):
    def __len__(self) -> int:
        ran.append(5)
        raise RuntimeError("a list was asked")

    __iter__ = __getitem__ = __len__  # type: ignore[assignment]


ran: list[int] = []
armed: list[int] = []


def test_hostile_objects_are_counted_and_never_asked() -> None:
    made = _EvilMeta("Made", (), {"__module__": property(lambda _: 1 / 0)})
    instances = [made(), made(), _Evil(), _EvilList(range(10_000)), _EvilList()]
    before = internal_errors()
    armed.append(1)
    try:
        snapshot = take_snapshot(SETTINGS, "bot", "api", referrers=HERE + "_Evil")
    finally:
        armed.clear()
    assert len(instances) == 5
    assert ran == []
    assert internal_errors() == before
    assert snapshot.complete
    assert counted(snapshot, HERE + "_Evil") == (1, 0)
    assert counted(snapshot, HERE + "_EvilList") == (2, 0)
    assert counted(snapshot, "?.Made") == (2, 0)
    assert snapshot.referrers is not None
    assert snapshot.referrers.instances == 1


def test_the_number_of_types_is_bounded_and_nothing_is_lost() -> None:
    classes = [type(f"Made{number}", (), {}) for number in range(50)]
    objects = [made() for made in classes]
    everything, bounded = taken(types=100_000), taken(types=30)
    assert len(objects) == 50
    assert (len(bounded.types), everything.rest.types) == (30, 0)
    assert bounded.rest.types == pytest.approx(len(everything.types) - 30, abs=5)
    listed = sum(row.count for row in bounded.types)
    assert listed + bounded.rest.count == pytest.approx(bounded.tracked, abs=1)


def test_of_more_objects_one_in_two_or_three_is_looked_at() -> None:
    candles = [Candle(1.0) for _ in range(30_000)]
    snapshot = taken(max_objects=len(gc.get_objects()) // 3)
    assert len(candles) == 30_000
    assert snapshot.step >= 3
    assert counted(snapshot, HERE + "Candle")[0] == pytest.approx(30_000, rel=0.05)


def test_when_time_is_up_it_says_so() -> None:
    snapshot = taken(max_time=0.002)
    assert not snapshot.complete
    assert snapshot.walked < snapshot.tracked
    notes = diff(snapshot, snapshot).notes
    assert any("the first snapshot ran out of time" in note for note in notes)


def test_no_object_lives_longer_because_it_was_counted() -> None:
    candle = Candle(1.0)
    gone = weakref.ref(candle)
    taken()
    del candle
    assert gone() is None


def test_it_is_taken_on_a_thread_of_its_own_and_written_for_its_owner_only(
    start: Callable[..., Telemetry], tmp_path: Path
) -> None:
    telemetry = start(resources={"snapshots": {"directory": str(tmp_path / "new" / "directory")}})
    result = telemetry.memory_snapshot(referrers="NoSuchThing").result(30)
    assert result.error is None
    assert result.path is not None
    moment = time.strftime("%Y%m%d_%H%M%S", time.gmtime(result.snapshot.unix if result.snapshot else 0))
    assert result.path.name == f"memory_snapshot_{moment}.json"
    assert result.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in result.path.parent.iterdir()] == [result.path.name]
    written = json.loads(result.path.read_text())
    assert (written["kind"], written["schema"], written["service"]) == (
        "ticktrace.memory_snapshot",
        1,
        "test-bot",
    )
    assert load_snapshot(result.path) == result.snapshot


def test_of_several_in_one_second_none_is_overwritten_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    snapshot = taken(max_time=0.002)
    (tmp_path / "mine.json").write_text("not ours")
    paths = [store_snapshot(snapshot, tmp_path, 5) for _ in range(5)]
    assert [path.name.removeprefix(paths[0].stem) for path in paths] == [
        ".json",
        "-2.json",
        "-3.json",
        "-4.json",
        "-5.json",
    ]
    for age, path in enumerate(reversed(paths), start=1):
        os.utime(path, (time.time() - age,) * 2)
    newest = store_snapshot(snapshot, tmp_path, 3)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "mine.json", *paths[-2:], newest])


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 200 bytes, as on a full disk. Not a fixture: pytest prints before it tears down."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    snapshots = MemorySnapshots(SnapshotSettings(directory=tmp_path / "memory"), "bot")
    before = internal_errors()
    with small_files():
        result = snapshots.request("api").result(30)
        snapshots.close()
    assert result.path is None
    assert result.snapshot is not None
    assert "cannot be written to" in (result.error or "")
    assert list((tmp_path / "memory").iterdir()) == []
    assert internal_errors() == before
    assert "a memory snapshot cannot be written" in caplog.text


def test_a_directory_that_cannot_be_is_said(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    telemetry = start(resources={"snapshots": {"directory": str(tmp_path / "file" / "memory")}})
    result = telemetry.memory_snapshot().result(30)
    assert (result.path, result.error is None) == (None, False)


def test_many_requests_do_not_queue_up(tmp_path: Path) -> None:
    snapshots = MemorySnapshots(SnapshotSettings(directory=tmp_path, max_objects=20_000), "bot")
    futures = [snapshots.request("api") for _ in range(12)]
    results = [future.result(50) for future in futures]
    snapshots.close()
    refused = [result for result in results if result.error == "4 snapshots wait already"]
    assert len(refused) >= 4
    assert len(refused) + sum(result.path is not None for result in results) == 12
    assert snapshots.request("api").result(1).error == "telemetry has ended"


def test_the_shutdown_does_not_wait_for_one(start: Callable[..., Telemetry], tmp_path: Path) -> None:
    telemetry = start(resources={"snapshots": {"directory": str(tmp_path)}})
    future = telemetry.memory_snapshot()
    telemetry.shutdown()
    result = future.result(20)  # there is one in any case
    if result.snapshot is not None and not result.snapshot.complete:
        assert result.snapshot.walked < result.snapshot.tracked


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="this system has no SIGUSR2")
def test_a_signal_makes_one_beside_what_it_did_before(
    start: Callable[..., Telemetry], tmp_path: Path
) -> None:
    received: list[int] = []
    original = signal.signal(signal.SIGUSR2, lambda number, _: received.append(number))
    try:
        mine = signal.getsignal(signal.SIGUSR2)
        telemetry = start(resources={"snapshots": {"directory": str(tmp_path), "on_signal": True}})
        telemetry.watch_resources()
        os.kill(os.getpid(), signal.SIGUSR2)
        assert until(lambda: [path for path in tmp_path.iterdir() if path.suffix == ".json"])
        assert received == [signal.SIGUSR2]
        (path,) = [path for path in tmp_path.iterdir() if path.suffix == ".json"]
        assert load_snapshot(path).reason == "signal"
        telemetry.shutdown()
        assert signal.getsignal(signal.SIGUSR2) is mine
    finally:
        signal.signal(signal.SIGUSR2, original)


def test_without_the_setting_the_signal_is_not_ours(start: Callable[..., Telemetry]) -> None:
    before = signal.getsignal(signal.SIGUSR2)
    start().watch_resources()
    assert signal.getsignal(signal.SIGUSR2) is before


def test_in_a_thread_no_handler_can_be_installed(
    start: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = start(resources={"snapshots": {"on_signal": True}})
    before = signal.getsignal(signal.SIGUSR2)
    thread = threading.Thread(target=telemetry.watch_resources)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGUSR2) is before
    assert "works only when watch_resources() is called in the main thread" in caplog.text


def test_the_list_of_all_objects_is_no_young_object() -> None:
    """Else each collection of the youngest generation would go through all of it, for milliseconds."""
    gc.disable()
    try:
        kept = [Candle(1.0) for _ in range(1_000)]
        snapshot = take_snapshot(SETTINGS, "bot", "api")
        young = {id(obj) for obj in gc.get_objects(generation=0)}
    finally:
        gc.enable()
    assert not young & {id(candle) for candle in kept}
    assert gc.get_freeze_count() == 0
    assert snapshot.cost.list_pause_seconds > 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "no memory snapshot: "),
        ("[]", "no memory snapshot: "),
        ("{}", 'no memory snapshot of ticktrace: its kind is ""'),
        ('{"kind": "ticktrace.memory_snapshot", "schema": 99}', "of version 99; this ticktrace knows 1"),
        ('{"kind": "ticktrace.memory_snapshot", "schema": 1}', "missing required field"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SnapshotError, match=problem):
        load_snapshot(path)
