"""Log files: what is written, when they are followed by others, and what becomes of records that cannot be written."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from support.programs import run_program
from ticktrace import SettingsError, setup_telemetry
from ticktrace.compat import get_metrics_logger
from ticktrace.engine import internal_errors
from ticktrace.settings import LogsSettings
from ticktrace.telemetry import _log_files
from ticktrace.telemetry._log_files import LogFile
from ticktrace.telemetry._rotating import RotatingFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry

LOG = logging.getLogger("bot")
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [A-Z]+ \[[\w.]+\] \[\w+\.py:\d+\] \[trace_id=(0|\w{32}) span_id=(0|\w{16})\] - .*"
)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it holds within ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def record(message: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
    return logging.LogRecord("bot", logging.WARNING, "bot.py", 1, message, args, None, **kwargs)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., tuple[LogFile, Counter[str]]]]:
    """A log file, and what it says it has lost."""
    files: list[LogFile] = []

    def open_one(path: Path | None = None, scrub: Callable[[str], str] = str, **settings: Any) -> Any:
        lost: Counter[str] = Counter()
        file = LogFile(
            path or tmp_path / "logs" / "app.log",
            LogsSettings(**settings),
            scrub,
            lambda records, reason: lost.update({reason: records}),
        )
        files.append(file)
        return file, lost

    yield open_one
    for file in files:
        file.close()


class TestApplication:
    def test_records_are_written_with_their_ids_and_without_secrets(
        self, start: Callable[..., Telemetry], tmp_path: Path
    ) -> None:
        telemetry = start(logs={"app_file": "logs/app.log"})
        with telemetry.tracer_provider.get_tracer("bot").start_as_current_span("work"):
            LOG.warning("order of %s", "BTC/USDT")
            LOG.error("refused: api_key=abc123")
        logging.getLogger("bot.sub").critical("two\nlines")
        try:
            int("Bearer abc123def")
        except ValueError:
            LOG.exception("failed")
        LOG.info("below the root logger's level")
        context = Captured(telemetry).span("work").context
        telemetry.shutdown(5)
        text = read(tmp_path / "logs" / "app.log")
        lines = text.splitlines()
        assert context is not None
        assert all(LINE.fullmatch(line) or line.startswith("    ") for line in lines), text
        assert (
            f"[trace_id={context.trace_id:032x} span_id={context.span_id:016x}] - order of BTC/USDT"
            in lines[0]
        )
        assert "WARNING [bot] [test_log_files.py:" in lines[0]
        assert lines[1].endswith("- refused: api_key=[redacted]")
        assert lines[2].endswith("[trace_id=0 span_id=0] - two")
        assert lines[3] == "    lines"
        assert lines[4].endswith("- failed")
        assert lines[-1] == "    ValueError: invalid literal for int() with base 10: 'Bearer [redacted]'"
        assert "abc123" not in text

    def test_ids_without_the_factory(self, start: Callable[..., Telemetry], tmp_path: Path) -> None:
        telemetry = start(logs={"app_file": "app.log", "trace_ids": False})
        with telemetry.tracer_provider.get_tracer("bot").start_as_current_span("work"):
            LOG.warning("here")
        context = Captured(telemetry).span("work").context
        telemetry.shutdown(5)
        assert context is not None
        assert f"trace_id={context.trace_id:032x}" in read(tmp_path / "app.log")

    def test_the_level(self, start: Callable[..., Telemetry], tmp_path: Path) -> None:
        telemetry = start(logs={"app_file": "app.log", "level": "ERROR"})
        LOG.warning("below")
        LOG.error("above")
        telemetry.shutdown(5)
        assert [line.rsplit(" - ")[1] for line in read(tmp_path / "app.log").splitlines()] == ["above"]

    def test_after_shutdown_nothing_is_written_and_nothing_is_left(
        self, start: Callable[..., Telemetry], tmp_path: Path
    ) -> None:
        handlers = list(logging.getLogger().handlers)
        telemetry = start(logs={"app_file": "app.log", "metrics_file": "metrics.log"})
        LOG.warning("before")
        telemetry.shutdown(5)
        LOG.warning("after")
        assert "after" not in read(tmp_path / "app.log")
        assert logging.getLogger().handlers == handlers
        assert not [each.name for each in threading.enumerate() if each.name.endswith(".log")]
        assert logging.getLogger("ticktrace.metrics").level == logging.NOTSET

    def test_a_wrong_log_call_is_contained_and_counted(self, start: Callable[..., Telemetry]) -> None:
        start(logs={"app_file": "app.log"})
        logger = logging.Logger("apart")  # noqa: LOG001  without pytest's handler, which raises
        logger.addHandler(next(each for each in logging.getLogger().handlers if "_ToFile" in str(type(each))))
        before = internal_errors()
        logger.warning("%d", "x")
        assert internal_errors() == before + 1

    def test_one_file_cannot_be_both(self) -> None:
        with pytest.raises(SettingsError, match="app_file and metrics_file must be two files"):
            setup_telemetry("bot", logs={"app_file": "a.log", "metrics_file": "a.log"})

    def test_without_settings_there_are_no_files(
        self, start: Callable[..., Telemetry], tmp_path: Path
    ) -> None:
        telemetry = start(diagnostics={"journal": {"enabled": False}})
        LOG.warning("here")
        telemetry.shutdown(5)
        assert list(tmp_path.iterdir()) == []


class TestMetrics:
    def test_what_the_metrics_logger_is_told(
        self, start: Callable[..., Telemetry], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        telemetry = start(
            logs={"metrics_file": "logs/metrics.log", "app_file": "logs/app.log", "level": "DEBUG"}
        )
        metrics = get_metrics_logger()
        metrics.log_metric("portfolio_value", 1000, {"strategy": "sma"}, {"desk": "A-1", "api_key": "abc123"})
        metrics.log_engine_cycle(0.012, "running", 3, 2, 1)
        metrics.log_scanner_metrics(100, 5, 0.3, {"atr": 90, "volume": 5})
        metrics.log_trade_event("trade_opened", "BTC/USDT", "buy", 0.3, 42_000, metadata={"note": "first"})
        telemetry.shutdown(5)
        said = [line.split(" - ", 1)[1] for line in read(tmp_path / "logs" / "metrics.log").splitlines()]
        assert said == [
            "portfolio_value=1000 strategy=sma desk=A-1 api_key=[redacted]",
            "engine cycle of 0.012 s in state running positions=3 signals=2 orders=1",
            "scan of 0.3 s by scanner symbols=100 candidates=5 filters=atr, volume",
            "trade_opened symbol=BTC/USDT side=buy quantity=0.3 price=42000 pnl=None note=first",
        ]
        assert not [each for each in caplog.records if each.name == "ticktrace.metrics"]  # nor anywhere else
        assert "portfolio_value" not in read(tmp_path / "logs" / "app.log")

    def test_who_listened_before_still_does(
        self, start: Callable[..., Telemetry], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            telemetry = start(logs={"metrics_file": "metrics.log"})
            get_metrics_logger().log_engine_cycle(0.012, "running")
        telemetry.shutdown(5)
        assert [each.name for each in caplog.records if each.levelno == logging.DEBUG] == [
            "ticktrace.metrics"
        ]
        assert "engine cycle" in read(tmp_path / "metrics.log")


class TestRotation:
    def test_the_newest_files_are_kept(self, tmp_path: Path) -> None:
        file = RotatingFile(tmp_path / "a.log", most_bytes=20, keep=2)
        for number in range(8):
            file.append(f"line {number:04d}\n".encode())
        file.close()
        names = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
        assert names == {
            "a.log": ["line", "0006", "line", "0007"],
            "a.log.1": ["line", "0004", "line", "0005"],
            "a.log.2": ["line", "0002", "line", "0003"],
        }

    def test_without_any_to_keep(self, tmp_path: Path) -> None:
        file = RotatingFile(tmp_path / "a.log", most_bytes=20, keep=0)
        for number in range(3):
            file.append(f"line {number:04d}\n".encode())
        assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
        assert read(tmp_path / "a.log") == "line 0002\n"

    def test_two_that_write_the_same_file_lose_nothing(self, tmp_path: Path) -> None:
        one, other = (RotatingFile(tmp_path / "a.log", most_bytes=50, keep=100) for _ in range(2))
        for number in range(50):
            one.append(f"one {number}\n".encode())
            other.append(f"other {number}\n".encode())
        lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
        assert Counter(lines) == Counter(
            f"{who} {number}" for who in ("one", "other") for number in range(50)
        )
        assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 50

    def test_it_is_for_its_owner_and_group_alone(self, tmp_path: Path) -> None:
        RotatingFile(tmp_path / "a.log", 50, 1).append(b"x\n")
        assert (tmp_path / "a.log").stat().st_mode & 0o007 == 0

    def test_by_the_settings(self, start: Callable[..., Telemetry], tmp_path: Path) -> None:
        telemetry = start(logs={"app_file": "logs/app.log", "rotate_bytes": 2_000, "keep_files": 3})
        for number in range(100):
            LOG.warning("number %d", number)
        telemetry.shutdown(5)
        files = sorted((tmp_path / "logs").iterdir())
        assert [path.name for path in files] == ["app.log", "app.log.1", "app.log.2", "app.log.3"]
        assert all(path.stat().st_size <= 2_000 for path in files)
        assert "number 99" in read(files[0])


class TestAdversity:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
    def test_a_full_disk_is_said_once_counted_and_recovered_from(
        self, opened: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "logs" / "app.log"
        path.parent.mkdir()
        path.symlink_to("/dev/full")
        file, lost = opened(path)
        for _ in range(3):
            before = lost.total()
            file.take(record("lost"))
            assert eventually(lambda: lost.total() > before)  # noqa: B023  asked within the loop
        path.unlink()
        file.take(record("better"))
        assert eventually(lambda: "better" in read(path))
        assert eventually(lambda: len(caplog.records) == 2)
        assert [each.getMessage() for each in caplog.records] == [
            f"ticktrace: {path} cannot be written, what is logged is lost: [Errno 28] No space left on device",
            f"ticktrace: {path} is written again; 3 records were lost",
        ]
        assert file.lost == 3

    def test_a_directory_that_vanishes_is_made_again(self, opened: Any, tmp_path: Path) -> None:
        file, lost = opened()
        path = tmp_path / "logs" / "app.log"
        file.take(record("before"))
        assert eventually(lambda: "before" in read(path))
        shutil.rmtree(path.parent)
        file.take(record("after"))
        assert eventually(lambda: "after" in read(path))
        assert not lost

    def test_a_directory_that_cannot_be_made(self, opened: Any, tmp_path: Path) -> None:
        (tmp_path / "logs").write_text("")
        file, lost = opened()
        file.take(record("lost"))
        assert eventually(lambda: lost["write_failed"] == 1)
        (tmp_path / "logs").unlink()
        file.take(record("kept"))
        assert eventually(lambda: "kept" in read(tmp_path / "logs" / "app.log"))

    def test_a_line_that_was_cut_is_ended_before_the_next(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = RotatingFile(tmp_path / "a.log", 10_000, 1)
        write, room = os.write, [12]

        def narrow(descriptor: int, data: bytes) -> int:
            piece = data[: room[0]]
            room[0] -= len(piece)
            if not piece:
                raise OSError(28, "No space left on device")
            return write(descriptor, piece)

        monkeypatch.setattr("ticktrace.telemetry._rotating.os.write", narrow)
        with pytest.raises(OSError, match="No space"):
            file.append(b"whole\nand a part\n")
        room[0] = 1_000
        file.append(b"next\n")
        assert read(tmp_path / "a.log") == "whole\nand a \nnext\n"

    def test_a_writer_that_hangs_costs_records_and_no_time(
        self, opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_log_files, "_MOST_WAITING", 10)
        entered, released = threading.Event(), threading.Event()

        def hang(text: str) -> str:
            entered.set()
            released.wait(20)
            return text

        file, lost = opened(scrub=hang)
        file.take(record("first"))
        assert entered.wait(10)
        for number in range(25):
            file.take(record("number %d", number))
        assert lost == {"queue_full": 15}
        released.set()
        file.close()
        assert read(tmp_path / "logs" / "app.log").count("\n") == 11

    def test_closing_does_not_wait_for_a_writer_that_hangs(
        self, opened: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_log_files, "_CLOSE_SECONDS", 0.05)
        entered, released = threading.Event(), threading.Event()

        def hang(text: str) -> str:
            entered.set()
            released.wait(20)
            return text

        file, lost = opened(scrub=hang)
        file.take(record("first"))
        assert entered.wait(10)
        file.take(record("second"))
        file.close()
        assert lost == {"shutdown": 1}
        released.set()

    def test_losses_are_counted_as_a_metric(self, start: Callable[..., Telemetry], tmp_path: Path) -> None:
        (tmp_path / "logs").write_text("")
        telemetry = start(logs={"app_file": "logs/app.log"})
        LOG.warning("lost")
        captured = Captured(telemetry)

        def dropped() -> float:
            return captured.value("ticktrace.dropped", ticktrace__buffer__name="logs.app_file")

        assert eventually(lambda: dropped() >= 1)

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
    def test_forked_children_write_their_own_records_once(self, tmp_path: Path, engine: str) -> None:
        path = tmp_path / "app.log"
        run_program("logging_fork.py", path, TICKTRACE_ENGINE=engine, PYTHONWARNINGS="default")
        said = Counter(line.split(" - ", 1)[1] for line in read(path).splitlines() if "[bot]" in line)
        expected = {
            **{f"thread{who}": 200 for who in range(4)},
            **{f"child{who}": 100 for who in range(3)},
            "parent": 100,
        }
        assert said == Counter(
            f"{who} {number}" for who, count in expected.items() for number in range(count)
        )
