from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticktrace.diagnostics.naming import file_name, is_journal, readable


def test_a_name_tells_session_symbol_and_time() -> None:
    assert file_name("A", "BTC/USDT", 1755640800) == "diag_A_BTC_USDT_1755640800.jsonl"
    assert file_name("A", "BTC/USDT", 1755640800, 3) == "diag_A_BTC_USDT_1755640800-3.jsonl"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("BTC/USDT:USDT", "BTC_USDT_USDT"),
        ("paper 2025-08.1", "paper_2025-08.1"),
        ("Ärger", "Arger"),
        ("", "none"),
        ("../../etc/passwd", "etc_passwd"),
        ("a\0b\nc", "a_b_c"),
        ("x" * 10_000, "x" * 60),
        (".hidden-", "hidden"),
    ],
)
def test_whatever_is_in_a_name_becomes_readable(text: str, name: str) -> None:
    assert readable(text) == name


def test_unreadable_names_stay_different() -> None:
    assert (
        len({readable("比特币"), readable("以太币"), readable("///"), readable(".."), readable("\ud800")})
        == 5
    )


@given(st.text(st.characters(exclude_categories=())), st.text())
def test_a_name_is_never_more_than_a_name(session: str, symbol: str) -> None:
    name = file_name(session, symbol, 1, 2)
    assert re.fullmatch(r"diag_[A-Za-z0-9._-]+_1-2\.jsonl", name)
    assert len(name) < 200
    assert ".." not in name
    assert is_journal(name)


def test_only_files_of_journals_are_taken_for_such() -> None:
    for name in ("diag_a_b_1.jsonl", "diag_a_b_1.jsonl.gz", "diag_a_b_1.jsonl.gz.part"):
        assert is_journal(name)
    for name in (
        "diag.jsonl",
        "diag_.jsonl",
        "diag_a.json",
        "old_diag_a.jsonl",
        "diag_a.jsonl.part",
        "diag_a.gz",
    ):
        assert not is_journal(name)
