"""One candle from beginning to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support.journal_script import BEGAN, Script
from ticktrace.reports.explain import Explanation, explain
from ticktrace.reports.explain_text import explained
from ticktrace.reports.looking import NotFound, Wanted
from ticktrace.reports.sources import find, look_at

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.diagnostics import Line

TRACE = "0af7651916cd43dd8448eb211c80319c"


def journal() -> Script:
    """Five candles of two symbols: filtered out, blocked by a condition, turned down, refused, filled."""
    script = Script()
    script.next("ETH")
    script.next("BTC", trace_id=TRACE[:-1] + "1")
    script.scan(1, 0, volume=1)
    script.lines[-1] = _with(script.lines[-1], trace_id=TRACE[:-1] + "1")
    script.next("BTC", trace_id=TRACE[:-1] + "2")
    script.evaluate(("body", 0.48, 0.5), ("volume", 5, 1), trace_id=TRACE[:-1] + "2")
    script.evaluate(("body", 0.9, 0.5), strategy="retest", emitted=False, trace_id=TRACE[:-1] + "2")
    script.next("BTC")
    denied = script.evaluate(("body", 0.9, 0.5))
    script.risk(denied, "exposure", 0.4, 0.3)
    script.reject(denied, "exposure")
    script.next("BTC")
    refused = script.evaluate(("body", 0.9, 0.5))
    script.order(refused, passed=False)
    script.next("BTC")
    filled = script.evaluate(("body", 0.9, 0.5))
    script.next("ETH")
    script.evaluate(("body", 0.1, 0.5), symbol="ETH")
    script.order(filled)
    script.fill(filled)
    return script


def _with(line: Line, **changed: Any) -> Line:
    return msgspec.structs.replace(line, **changed)


def found(path: Path, symbol: str = "BTC", **wanted: object) -> Explanation:
    return explain(look_at(find([str(path)])), symbol, Wanted(**wanted))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal().write(tmp_path / "diag_s_BTC_1.jsonl")


@pytest.mark.parametrize(
    ("minute", "blocked", "outcome"),
    [
        (2, ["filter:volume"], "no strategy was asked"),
        (3, ["signal:momentum:body", "signal:retest:no_signal"], "no signal was emitted"),
        (4, ["risk:exposure", "rejected:exposure"], "a signal was emitted, and no order followed"),
        (5, ["order:insufficient_funds"], "an order was placed and rejected"),
        (6, [], "an order was filled"),
    ],
)
def test_what_stood_in_the_way_is_named(path: Path, minute: int, blocked: list[str], outcome: str) -> None:
    told = found(path, at=BEGAN + minute * 60.0)
    assert (told.matched, told.candle, told.blocked_by, told.outcome) == (
        "closed", BEGAN + minute * 60, blocked, outcome,
    )  # fmt: skip
    assert told.file == str(path)


def test_the_path_is_whole_and_in_order_and_nobody_else_s(path: Path) -> None:
    told = found(path, at=BEGAN + 360.0)
    assert [line.stage for line in told.lines] == ["candle", "condition", "signal", "order", "fill"]
    assert {line.symbol for line in told.lines} == {"BTC"}
    told = found(path, at=BEGAN + 180.0)
    assert [(line.strategy, line.name) for line in told.lines] == [
        (None, None), ("momentum", "body"), ("momentum", "volume"), ("momentum", None), ("retest", "body"), ("retest", None),
    ]  # fmt: skip
    assert told.trace_ids == [TRACE[:-1] + "2"]


def test_the_last_and_the_last_that_was_rejected(path: Path) -> None:
    assert (found(path).matched, found(path).candle) == ("last", BEGAN + 360)
    told = found(path, rejected=True)
    assert (told.matched, told.candle) == ("last-rejected", BEGAN + 300)
    with pytest.raises(
        NotFound, match="no candle of BTC was rejected; the last one closed at 2025-10-09T09:01:00Z"
    ):
        found(_one_good(path.parent / "good.jsonl"), rejected=True)


def _one_good(path: Path) -> Path:
    script = Script()
    script.next()
    script.order(script.evaluate(("body", 0.9, 0.5)))
    return script.write(path)


def test_a_candle_that_only_the_scan_filtered_is_rejected(tmp_path: Path) -> None:
    script = Script()
    script.next()
    script.scan(1, 0, volume=1)
    told = found(script.write(tmp_path / "a.jsonl"), rejected=True)
    assert (told.candle, told.blocked_by) == (BEGAN + 60, ["filter:volume"])


def test_a_time_within_a_candle_finds_the_one_that_contains_it(path: Path) -> None:
    told = found(path, at=BEGAN + 150.0)
    assert (told.matched, told.candle) == ("contains", BEGAN + 180)
    assert told.notes[0] == "no candle closed at 2025-10-09T09:02:30Z; this one contains it"


def test_the_time_of_day_is_of_the_last_day(tmp_path: Path) -> None:
    script = Script()
    script.next()
    script.next(minutes=24 * 60)
    told = found(script.write(tmp_path / "a.jsonl"), of_day=9 * 3_600 + 60)
    assert told.candle == BEGAN + 60 + 86_400


@pytest.mark.parametrize(
    ("symbol", "at", "message"),
    [
        ("BTC", BEGAN + 7_200.0, "no candle of BTC closed at or contains 2025-10-09T11:00:00Z; near it: 2025-10-09T09:04:00Z, 2025-10-09T09:05:00Z, 2025-10-09T09:06:00Z"),
        ("BTC", BEGAN - 7_200.0, "no candle of BTC closed at or contains 2025-10-09T07:00:00Z; near it: 2025-10-09T09:02:00Z, 2025-10-09T09:03:00Z, 2025-10-09T09:04:00Z"),
        ("DOGE", BEGAN + 60.0, "no line is about DOGE; symbols in these journals: BTC, ETH"),
        ("DOGE", None, "no line is about DOGE; symbols in these journals: BTC, ETH"),
    ],
)  # fmt: skip
def test_where_there_is_none_it_says_what_there_is(
    path: Path, symbol: str, at: float | None, message: str
) -> None:
    with pytest.raises(NotFound) as error:
        found(path, symbol, at=at)
    assert str(error.value) == message


def test_filters_are_found_by_trace_and_else_by_place(tmp_path: Path) -> None:
    for name, trace, note in (("by_trace", TRACE, False), ("by_place", None, True)):
        script = Script()
        traced: dict[str, Any] = {} if trace is None else {"trace_id": trace}
        script.filter("BTC", "volume", 1, 3, decision=1, trace_id="f" * 32)
        script.scan(2, 2)
        script.filter("BTC", "volume", 5, 3, decision=2, **traced)
        script.filter("ETH", "volume", 1, 3, decision=2)
        script.scan(2, 1)
        script.next("BTC", **traced)
        told = found(script.write(tmp_path / f"{name}.jsonl"), at=BEGAN + 60.0)
        assert [(line.stage, line.symbol, line.value) for line in told.lines] == [
            ("candle", "BTC", None), ("scan", None, None), ("filter", "BTC", 5),
        ]  # fmt: skip
        assert any("the scan before it" in one for one in told.notes) == note


def test_of_several_runs_the_last_one_is_told(tmp_path: Path) -> None:
    for pid in (1, 2):
        script = Script(pid=pid, lag=100.0 * pid)
        script.next()
        script.evaluate(("body", pid / 10, 0.5))
        script.write(tmp_path / f"{pid}.jsonl")
    told = explain(look_at(find([str(tmp_path)])), "BTC", Wanted(at=BEGAN + 60.0))
    assert [line.value for line in told.lines if line.stage == "condition"] == [0.2]
    assert told.notes[0].startswith("2 processes had this candle")


def test_the_text_names_what_blocked_and_the_trace(path: Path) -> None:
    text = explained(found(path, at=BEGAN + 180.0))
    assert text.splitlines()[:5] == [
        "BTC: closed at 2025-10-09T09:03:00Z",
        "  no signal was emitted",
        "  blocked by signal:momentum:body",
        "  blocked by signal:retest:no_signal",
        f"  trace {TRACE[:-1]}2",
    ]
    assert "  NO  body 0.48 >= 0.5  near miss  signal:momentum:body" in text
    assert "  yes volume 5 >= 1" in text


def test_the_text_never_obeys_the_journal(tmp_path: Path) -> None:
    script = Script()
    script.next("\x1b[2J")
    text = explained(found(script.write(tmp_path / "a.jsonl"), "\x1b[2J"))
    assert "\x1b" not in text
