"""The report as text, Markdown and HTML: complete, and safe whatever the journal says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import StringIO
from typing import TYPE_CHECKING

import msgspec
import pytest

from support.journal_script import Script, report_on
from ticktrace.reports.html import as_html
from ticktrace.reports.markdown import as_markdown
from ticktrace.reports.model import Report
from ticktrace.reports.text import as_text

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<script>alert('1')</script>|`x`\x1b[31m\x00\"&\n# B"


class Page(HTMLParser):
    """Collects tags, attributes and text, and whether all tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    script = Script()
    for minute in range(1, 121):
        script.next(HOSTILE if minute % 2 else "BTC")
        script.scan(5, 2, **{HOSTILE: 3})
        script.evaluate(
            ("volume", 0.95 if minute % 3 else 1.2, 1.0),
            (HOSTILE, minute, 60),
            strategy=HOSTILE,
            symbol=HOSTILE,
        )
        decision = script.evaluate(("body", 0.2 if minute % 10 else 0.7, 0.5))
        if not minute % 10:
            script.order(decision)
            script.fill(decision)
    file = script.write(tmp_path / "<b>diag&.jsonl")
    with file.open("ab") as more:
        more.write(b'{"ts":1,"component":"</td><img src=x>"}\n')
    return report_on(file)


def test_html_is_one_file_that_asks_nobody_and_runs_nothing(report: Report) -> None:
    page = Page(as_html(report, 15).removeprefix("<!doctype html>"))
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    policy = next(
        attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on")} | attributes & {"src", "href", "style"}
    style = "".join(re.findall(r"<style>(.*?)</style>", as_html(report, 15), re.DOTALL))
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_html_shows_hostile_words_as_words(report: Report) -> None:
    page = Page(as_html(report, 15))
    shown = "".join(page.text)
    assert "<script>alert('1')</script>|`x`\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}\"&" in shown
    assert "</td>" in shown or "Object missing" in shown
    assert "\x1b" not in shown
    assert "\x00" not in as_html(report, 15)


def test_html_has_a_chart_for_each_question(report: Report) -> None:
    page = Page(as_html(report, 15))
    charts = [attrs["aria-label"] or "" for tag, attrs in page.tags if tag == "svg"]
    for begins in (
        "Funnel",
        "Reasons",
        "Signals over time",
        "More that would pass volume",
        "More that would pass body",
    ):
        assert any(label.startswith(begins) for label in charts), begins
    for tag, attrs in page.tags:
        if tag == "rect":
            assert float(attrs["width"] or "") >= 0
            assert float(attrs["height"] or "") >= 0
    assert not re.search(r'"(nan|-?inf)', as_html(report, 15))


def test_markdown_tables_keep_their_columns_and_words_stay_words(report: Report) -> None:
    text = as_markdown(report, 15)
    assert "\x1b" not in text
    assert "\x00" not in text
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) >= 7
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Why no trade?", "## Period", "## Funnel", "## Reasons", "## Silence", "## Near misses", "## Thresholds",
        "## Changes", "## Malformed lines",
    ]  # fmt: skip


def test_text_holds_everything_and_no_escape_codes(report: Report) -> None:
    text = as_text(report, 15, StringIO())
    assert text.isprintable() or all(char == "\n" or char.isprintable() for char in text)
    for words in (
        "Most are lost at filtered: 360 of 600.",
        "half-way to the median near miss",
        "says nothing",
        "about profit",
    ):
        assert words in text
    assert re.search(r"^candles +120 +120 +0 +100 %", text, re.MULTILINE)
    assert re.search(r"^fills +12 +12 +0 +100 %", text, re.MULTILINE)
    assert "withheld" not in text or "no evidence" in text


@pytest.mark.parametrize("top", [1, 2])
def test_tables_are_cut_and_say_so(report: Report, top: int) -> None:
    assert f"and {len(report.thresholds) - top} more row" in as_text(report, top, StringIO())


def test_an_empty_report_is_short(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    report = report_on(tmp_path / "a.jsonl")
    assert "No line to report, in 1 file with 0 lines." in as_text(report, 5, StringIO())
    assert as_markdown(report, 5).count("##") == 1
    assert Page(as_html(report, 5)).open == []


def test_json_reads_back_as_the_same_report(report: Report) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
