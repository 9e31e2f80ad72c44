from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from support.journals import Batch, ManualClock, files, journal, line, lines, pass_over, read, read_all
from ticktrace.engine import internal_errors
from ticktrace.engine.drain import Drain
from ticktrace.engine.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ticktrace.diagnostics import Journal, Line


def test_lines_get_into_a_file_that_says_whose_they_are(tmp_path: Path) -> None:
    clock = ManualClock()
    found = journal(tmp_path / "logs" / "diag", wall=clock.wall, clock=clock)
    before = found.path
    assert before is None
    pass_over(found)
    assert list(tmp_path.iterdir()) == []  # no file without a line
    found.take(line(1, symbol="BTC/USDT"))
    found.take(Batch([line(2, symbol="BTC/USDT"), line(3)]))
    assert found.waiting == 2
    pass_over(found)
    assert found.waiting == 0
    assert found.path == tmp_path / "logs" / "diag" / "diag_bot_BTC_USDT_1755640800.jsonl"
    head, *rest = read(found.path)
    started = datetime.fromisoformat(head["payload"].pop("started"))
    assert started.timestamp() == 1_755_640_800
    assert head == {
        "ts": 1_755_640_800_000_000_000,
        "component": "ticktrace",
        "stage": "session",
        "schema": 1,
        "payload": {
            "session": "bot",
            "service": "bot",
            "version": "1.2.3",
            "pid": os.getpid(),
            "engine": "deferred",
            "mode": "live",
        },
    }
    assert [each["payload"]["n"] for each in rest] == [1, 2, 3]
    assert (found.written, found.dropped) == (3, {})
    assert found.close(5)
    assert found.close(5)
    assert found.path.stat().st_mode & 0o133 == 0  # nobody else writes to it, nobody runs it


@pytest.mark.parametrize(
    ("symbols", "name"),
    [
        ([None, None], "diag_A_none_1755640800.jsonl"),
        ([None, "BTC/USDT", "BTC/USDT"], "diag_A_BTC_USDT_1755640800.jsonl"),
        (["BTC/USDT", "ETH/USDT", "BTC/USDT"], "diag_A_multi_1755640800.jsonl"),
        (["../../../etc/x" * 1_000], None),
        (["\0"], None),
    ],
)
def test_the_name_tells_the_symbol(tmp_path: Path, symbols: list[str | None], name: str | None) -> None:
    clock = ManualClock()
    found = journal(tmp_path / "d", session="A", wall=clock.wall, clock=clock)
    found.take(Batch([line(number, symbol=symbol) for number, symbol in enumerate(symbols)]))
    assert found.close(5)
    assert files(tmp_path) == ["d"]
    (only,) = files(tmp_path / "d")
    assert name is None or only == name
    assert lines(tmp_path / "d") == list(range(len(symbols)))


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    clock = ManualClock()
    (tmp_path / "diag_bot_none_1755640800-2.jsonl.gz").write_bytes(b"")
    for number in range(3):
        found = journal(tmp_path, wall=clock.wall, clock=clock)
        found.take(line(number))
        assert found.close(5)
    assert files(tmp_path) == [
        "diag_bot_none_1755640800-2.jsonl.gz",
        "diag_bot_none_1755640800-3.jsonl",
        "diag_bot_none_1755640800-4.jsonl",
        "diag_bot_none_1755640800.jsonl",
    ]


def test_another_session_goes_to_another_file(tmp_path: Path) -> None:
    found = journal(tmp_path)
    found.take(line(1, symbol="A"))
    found.update_session("evening / run")
    found.take(line(2, symbol="B"))
    assert found.close(5)
    assert [name.rsplit("_", 1)[0] for name in files(tmp_path)] == ["diag_bot_A", "diag_evening_run_B"]
    assert found.path is not None
    assert read(found.path)[0]["payload"]["session"] == "evening / run"
    assert lines(tmp_path) == [1, 2]


def test_no_piece_takes_long_whatever_an_entry_is(tmp_path: Path) -> None:
    found = journal(tmp_path)
    found.take(Batch(line(number) for number in range(5_000)))
    assert pass_over(found) > 5
    assert lines(tmp_path) == list(range(5_000))
    assert found.close(5)


def test_an_entry_that_raises_costs_itself_and_nothing_else(tmp_path: Path) -> None:
    class Worse:
        lines = property(lambda self: 1 / 0)

    lost: list[tuple[str, int]] = []
    found = journal(tmp_path, on_dropped=lambda reason, count: lost.append((reason, count)))
    before = internal_errors()
    bad: list[Any] = [Worse(), None, "text", Batch(["no line"])]  # type: ignore[list-item]
    for number in range(4):
        found.take(Batch([line(number), ValueError("no"), line(99)]))
        found.take(bad[number])
    assert found.close(5)
    assert lines(tmp_path) == [0, 1, 2, 3]
    assert found.dropped == {"invalid": 8}
    assert lost == [("invalid", 1)] * 8
    assert internal_errors() == before + 8


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    lost: list[tuple[str, int]] = []
    found = journal(tmp_path, buffer_size=10, on_dropped=lambda reason, count: lost.append((reason, count)))
    for number in range(15):
        found.take(line(number))
    assert found.flush(5)
    found.take(line(15))
    assert found.close(5)
    found.take(line(16))
    assert lines(tmp_path) == [*range(10), 15]
    assert found.dropped == {"queue_full": 5, "shutdown": 1}
    assert lost == [("queue_full", 1)] * 5 + [("shutdown", 1)]


def test_whoever_is_told_of_losses_may_raise(tmp_path: Path) -> None:
    found = journal(tmp_path, buffer_size=1, on_dropped=lambda reason, count: 1 / 0)
    for number in range(3):
        found.take(line(number))
    assert found.dropped == {"queue_full": 2}
    assert found.close(5)


def test_where_there_is_patience_nothing_is_lost(tmp_path: Path) -> None:
    """As in a backtest: producers wait for room, which they make themselves."""
    sources: list[Any] = []
    drain = Drain(sources, period=3600, patience=Patience(30))
    found: Journal = journal(
        tmp_path, buffer_size=16, rotate_bytes=20_000, make_room=lambda room: drain.make_room(found, room)
    )
    sources.append(found)

    def produce(start: int) -> None:
        for number in range(start, start + 1_000):
            found.take(line(number))

    threads = [threading.Thread(target=produce, args=(1_000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drain.drain_now()
    assert found.close(5)
    assert found.dropped == {}
    assert sorted(lines(tmp_path)) == list(range(4_000))


def test_a_make_room_that_raises_is_no_harm(tmp_path: Path) -> None:
    found = journal(tmp_path, buffer_size=1, make_room=lambda room: 1 / 0 > 1)
    found.take(line(1))
    found.take(line(2))
    assert found.dropped == {"queue_full": 1}


def test_four_threads_lose_nothing(tmp_path: Path) -> None:
    """With a drain, live; every line is whole, and each thread's are in order."""
    sources: list[Any] = []
    drain = Drain(sources, period=0.01)
    found = journal(tmp_path, rotate_bytes=100_000)
    sources.append(found)
    drain.start()

    def produce(start: int) -> None:
        for number in range(start, start + 5_000, 5):
            found.take(Batch([line(number + part) for part in range(5)]))
            if number % 1_000 == 0:
                found.flush(5)  # from anywhere

    threads = [threading.Thread(target=produce, args=(5_000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drain.stop(5)
    assert found.close(5)
    numbers = lines(tmp_path)
    assert sorted(numbers) == list(range(20_000))
    for start in range(0, 20_000, 5_000):
        assert [number for number in numbers if start <= number < start + 5_000] == list(
            range(start, start + 5_000)
        )
    assert all(numbers[at + 4] == number + 4 for at, number in enumerate(numbers) if number % 5 == 0)
    assert found.dropped == {}
    assert found.written == 20_000
    assert len(files(tmp_path)) > 5


def test_flushing_has_an_end(tmp_path: Path) -> None:
    reached, release = threading.Event(), threading.Event()

    class Hanging:
        def lines(self) -> Iterator[Line]:
            yield line(1)
            reached.set()
            release.wait(20)
            yield line(2)

    found = journal(tmp_path)
    found.take(Hanging())
    found.take(line(3))
    thread = threading.Thread(target=pass_over, args=(found,))
    thread.start()
    assert reached.wait(20)
    assert found.flush(0.05) is False
    assert found.close(0.05) is False
    assert found.dropped == {"shutdown": 2}
    release.set()
    thread.join()
    assert set(lines(tmp_path)) <= {1, 2}


def test_who_flushes_within_a_slice_is_turned_away(tmp_path: Path) -> None:
    flushed = []

    class Flushing:
        def lines(self) -> Iterator[Line]:
            yield line(1)
            flushed.append(found.flush(1))
            yield line(2)

    found = journal(tmp_path)
    found.take(Flushing())
    assert found.flush(5)
    assert flushed == [False]
    assert found.close(5)
    assert lines(tmp_path) == [1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_what_was_made_is_written_when_somebody_wants_the_thread_to_end(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    class Interrupted:
        def lines(self) -> Iterator[Line]:
            yield line(2)
            os.kill(os.getpid(), signal.SIGUSR1)
            yield line(3)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        found = journal(tmp_path)
        found.take(line(1))
        found.take(Interrupted())
        found.take(line(4))
        with pytest.raises(KeyboardInterrupt):
            found.flush(5)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert lines(tmp_path) == [1, 2]
    assert found.close(5)
    assert lines(tmp_path) in ([1, 2, 4], [1, 2, 3, 4])


def test_ten_thousand_symbols(tmp_path: Path) -> None:
    found = journal(tmp_path)
    for number in range(20_000):
        found.take(line(number, symbol=f"S{number % 10_000}/USDT", reason=f"filter:f{number % 7}"))
    assert found.close(10)
    assert [each["symbol"] for each in read_all(tmp_path)] == [
        f"S{number % 10_000}/USDT" for number in range(20_000)
    ]
    assert "_multi_" in files(tmp_path)[0]
    assert found.dropped == {}


def test_the_scrubber_sees_all_of_it(tmp_path: Path) -> None:
    class Scrubber:
        def text(self, text: str) -> str:
            return text.replace("hunter2", "***")

        def mapping(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
            scrubbed: dict[str, Any] = json.loads(self.text(json.dumps(mapping)))
            return scrubbed

    found = journal(tmp_path, scrubber=Scrubber(), session="hunter2")
    found.take(line(1, symbol="hunter2", reason="hunter2", payload={"n": 1, "x": ["hunter2"]}))
    found.update_session("again hunter2")
    found.take(line(2, value="hunter2", payload={"n": 2, "error": ValueError("hunter2")}))
    assert found.close(5)
    assert lines(tmp_path) == [1, 2]
    for name in files(tmp_path):
        assert "hunter2" not in name
        assert "hunter2" not in (tmp_path / name).read_text()
        assert "***" in (tmp_path / name).read_text()


def test_a_directory_that_cannot_be_made_is_told_once_and_recovered_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    lost: list[tuple[str, int]] = []
    in_the_way = tmp_path / "logs"
    in_the_way.write_text("a file")
    found = journal(
        in_the_way / "diag",
        clock=clock,
        wall=clock.wall,
        on_dropped=lambda reason, count: lost.append((reason, count)),
    )
    with caplog.at_level(logging.WARNING, "ticktrace"):
        for number in range(9):
            found.take(Batch([line(number), line(number)]))
            pass_over(found)
            clock.seconds += 1
        assert found.flush(1) is False
        assert found.written == 0
        assert found.dropped == {"write_failed": 18}
        assert sum(count for _, count in lost) == 18
        in_the_way.unlink()
        found.take(line(100))
        pass_over(found)  # it is not tried again yet
        assert found.dropped == {"write_failed": 19}
        clock.seconds += 5
        found.take(line(101))
        pass_over(found)
    assert not found.failing
    assert found.flush(1) is True
    assert lines(in_the_way / "diag") == [101]
    assert len(caplog.messages) == 2
    assert "cannot be written: Not a directory" in caplog.messages[0]
    assert "can be written again; lines lost meanwhile: 19" in caplog.messages[1]
    assert found.close(1)


def test_who_fails_ever_again_is_not_heard_every_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    directory = tmp_path / "d"
    found = journal(directory, clock=clock, wall=clock.wall, rotate_after=1)
    with caplog.at_level(logging.WARNING, "ticktrace"):
        for number in range(20):  # it works every other time
            if number % 2:
                directory.unlink()
            else:
                shutil.rmtree(directory, ignore_errors=True)
                directory.write_text("in the way")
            found.take(line(number))
            pass_over(found)
            clock.seconds += 5
            pass_over(found)  # rotates
    assert found.dropped == {"write_failed": 10}
    told = [message for message in caplog.messages if "cannot be written" in message]
    assert 1 <= len(told) <= 3
    assert len([message for message in caplog.messages if "can be written again" in message]) == len(told)


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed there")
def test_a_file_that_was_removed_is_followed_by_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "logs" / "diag"
    found = journal(directory)
    found.take(line(1))
    pass_over(found)
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    directory.parent.rmdir()
    with caplog.at_level(logging.WARNING, "ticktrace"):
        found.take(line(2))
        found.take(line(3))
        assert found.close(5)
    assert lines(directory) == [2, 3]
    assert found.dropped == {}
    assert [message for message in caplog.messages if "was removed" in message] == caplog.messages
    assert len(caplog.messages) == 1


def test_lines_that_do_not_wait_leave_a_journal_without_a_file(tmp_path: Path) -> None:
    found = journal(tmp_path / "d")
    assert found.flush(1)
    assert found.close(1)
    assert not (tmp_path / "d").exists()
