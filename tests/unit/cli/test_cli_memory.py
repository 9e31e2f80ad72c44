"""`ticktrace memory`: what is in a snapshot, and what grew between two."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typer.testing import CliRunner

from ticktrace.cli import app
from ticktrace.runtime import MemorySnapshot

if TYPE_CHECKING:
    from pathlib import Path

PROCESS = {
    "pid": 4711,
    "python": "3.11.7",
    "rss_bytes": 100_000_000,
    "vms_bytes": 900_000_000,
    "threads": 9,
    "open_files": 12,
    "cpu_seconds": 3.5,
    "uptime_seconds": 60.0,
    "allocated_blocks": 400_000,
    "gc_enabled": True,
    "gc_waiting": [1, 2, 3],
    "gc_collections": [10, 2, 1],
    "tracemalloc": True,
}


def row(name: str, count: int, untracked: int, size: int) -> dict[str, Any]:
    return {"type": name, "count": count, "untracked": untracked, "bytes": size}


def site(file: str, line: int, count: int, size: int) -> dict[str, Any]:
    return {"file": file, "line": line, "count": count, "bytes": size}


def snapshot(unix: float, **changes: Any) -> dict[str, Any]:
    data = {
        "kind": "ticktrace.memory_snapshot",
        "schema": 1,
        "taken": f"2026-11-21T00:00:{unix:02.0f}.000+00:00",
        "unix": unix,
        "reason": "api",
        "service": "bot",
        "process": PROCESS,
        "tracked": 1_000,
        "walked": 1_000,
        "step": 1,
        "complete": True,
        "untracked": 500,
        "bytes": 90_000,
        "types": [],
        "rest": {"types": 0, "count": 0, "untracked": 0, "bytes": 0},
        "sites": None,
        "referrers": None,
        "cost": {
            "seconds": 1.5,
            "cpu_seconds": 0.5,
            "list_pause_seconds": 0.0052,
            "longest_slice_seconds": 0.0004,
        },
    }
    return {**data, **changes}


BEFORE = snapshot(
    10,
    types=[row("builtins.dict", 500, 100, 60_000), row("bot.Candle", 0, 0, 0), row("bot.Gone", 9, 0, 900)],
    sites=[site("bot.py", 7, 100, 4_000), site("bot.py", 9, 5, 50)],
)
AFTER = snapshot(
    20,
    tracked=7_000,
    bytes=1_090_000,
    process={**PROCESS, "rss_bytes": 103_000_000},
    types=[
        row("builtins.dict", 2_500, 4_100, 700_000),
        row("bot.Candle", 3_000, 0, 144_000),
        row("bot.Order", 20, 0, 1_000),
    ],
    sites=[site("bot.py", 7, 3_100, 148_000), site("bot.py", 9, 5, 50)],
    referrers={
        "type": "Candle",
        "instances": 3_000,
        "looked_at": 5,
        "chains": [{"path": ["module bot.engine", "bot.Engine.history", "builtins.list"], "count": 2}],
        "complete": True,
    },
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Two snapshots, ten seconds apart."""
    paths = tmp_path / "a.json", tmp_path / "b.json"
    for path, data in zip(paths, (BEFORE, AFTER), strict=True):
        path.write_text(json.dumps(data))
    return str(paths[0]), str(paths[1])


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["memory", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_diff_names_what_grew_first(files: tuple[str, str]) -> None:
    code, text, error = run("diff", *files)
    assert (code, error) == (0, "")
    assert text.splitlines() == [
        "2026-11-21T00:00:10.000+00:00 to 2026-11-21T00:00:20.000+00:00: 10 s",
        "objects +6,000, their shallow size +1.0 MB, process +3.0 MB",
        "",
        "growth  a second  before  after      bytes  type",
        "+3,000    +300.0       0  3,000  +144.0 kB  bot.Candle",  # twice as many dicts belong to others
        "+6,000    +600.0     600  6,600  +640.0 kB  builtins.dict",
        "   +20      +2.0       0     20    +1.0 kB  bot.Order",
        "    -9      -0.9       9      0     -900 B  bot.Gone",
        "",
        "growth      bytes  line",
        "+3,000  +144.0 kB  bot.py:7",
    ]


def test_a_leak_of_the_interpreters_own_types_comes_before_what_is_usual(tmp_path: Path) -> None:
    for name, dicts, orders in (("a", 0, 0), ("b", 10_000, 50)):
        data = snapshot(
            10 if name == "a" else 20,
            types=[row("builtins.dict", 0, dicts, 1), row("bot.Order", orders, 0, 1)],
        )
        (tmp_path / name).write_text(json.dumps(data))
    found = json.loads(run("diff", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "json")[1])
    assert [row["type"] for row in found["types"]] == ["builtins.dict", "bot.Order"]


def test_diff_as_data(files: tuple[str, str]) -> None:
    found = json.loads(run("diff", *files, "--format", "json", "--top", "1")[1])
    assert found["types"] == [
        {
            "type": "bot.Candle",
            "before": 0,
            "after": 3000,
            "count": 3000,
            "bytes": 144000,
            "per_second": 300.0,
        }
    ]
    assert found["sites"] == [{"file": "bot.py", "line": 7, "count": 3000, "bytes": 144000}]
    assert (found["seconds"], found["rss_bytes"], found["objects"], found["notes"]) == (
        10,
        3_000_000,
        6_000,
        [],
    )


def test_diff_says_what_makes_it_worth_less(tmp_path: Path, files: tuple[str, str]) -> None:
    cut = snapshot(
        5,
        process={**PROCESS, "pid": 1, "rss_bytes": None},
        complete=False,
        walked=400,
        step=3,
        rest={"types": 80, "count": 1, "untracked": 0, "bytes": 1},
    )
    (tmp_path / "c.json").write_text(json.dumps(cut))
    text = run("diff", files[0], str(tmp_path / "c.json"))[1]
    assert [line for line in text.splitlines() if line.startswith("note: ")] == [
        "note: two processes: bot 4711 and bot 1",
        "note: the second snapshot is not the later one",
        "note: the second snapshot ran out of time: 400 of 1000 objects were looked at",
        "note: the second snapshot looked at one object in 3 only",
        "note: the second snapshot lists 0 types; 80 others are not compared",
    ]
    assert "process" not in text.splitlines()[1]
    assert text.splitlines()[-1] == (
        "allocation sites: only where tracemalloc is tracing in both (python -X tracemalloc)"
    )


def test_show(files: tuple[str, str]) -> None:
    code, text, error = run("show", files[1], "--top", "2")
    assert (code, error) == (0, "")
    assert text.splitlines() == [
        "2026-11-21T00:00:20.000+00:00 bot, process 4711, Python 3.11.7, reason api",
        "process 103.0 MB, 9 threads, 12 open files",
        "7,000 objects tracked by the collector, about 500 others, together 1.1 MB",
        "taken in 1.5 s (0.5 s of a core); all threads stood still for 5.2 ms",
        "",
        "objects  untracked     bytes  type",
        "  2,500      4,100  700.0 kB  builtins.dict",
        "  3,000          0  144.0 kB  bot.Candle",
        "",
        "objects     bytes  allocated at",
        "  3,100  148.0 kB  bot.py:7",
        "      5      50 B  bot.py:9",
        "",
        "Candle: 3,000 objects; what keeps 5 of them alive:",
        "  2 x module bot.engine -> bot.Engine.history -> builtins.list",
    ]


def test_show_as_data_is_the_snapshot(files: tuple[str, str]) -> None:
    shown = run("show", files[1], "--format", "json")[1]
    assert msgspec.json.decode(shown, type=MemorySnapshot) == msgspec.convert(AFTER, MemorySnapshot)


@pytest.mark.parametrize("command", ["show", "diff"])
def test_what_is_no_snapshot_is_refused(tmp_path: Path, command: str) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    code, text, error = run(command, *[str(path)] * (2 if command == "diff" else 1))
    assert (code, text) == (1, "")
    assert error == f'{path}: no memory snapshot of ticktrace: its kind is ""\n'
