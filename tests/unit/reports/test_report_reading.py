"""Whole lines out of whatever a file is."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticktrace.reports import reading
from ticktrace.reports.reading import Batch, LineReader, Trouble, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def split(found: Iterable[Batch | Trouble]) -> tuple[list[tuple[int, int, bytes]], list[Trouble]]:
    """Each line with its number and byte, and the troubles."""
    lines, troubles = [], []
    for one in found:
        if isinstance(one, Trouble):
            troubles.append(one)
            continue
        byte, parts = one.byte, one.lines.split(b"\n")[: one.size]
        assert len(parts) == one.size
        for number, line in enumerate(parts):
            lines.append((one.line + number, byte, line))
            byte += len(line) + 1
    return lines, troubles


@given(
    st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=20), st.integers(1, 9)
)
def test_lines_keep_number_and_place_however_they_arrive(lines: list[bytes], size: int) -> None:
    data = b"".join(line + b"\n" for line in lines) + b"rest"
    reader = LineReader()
    found: list[Batch | Trouble] = []
    for start in range(0, len(data), size):
        found += reader.feed(data[start : start + size])
    found += reader.end()
    got, troubles = split(found)
    assert [line for _, _, line in got] == [*lines, b"rest"]
    assert [number for number, _, _ in got] == list(range(1, len(lines) + 2))
    assert all(data[byte : byte + len(line)] == line for _, byte, line in got)
    assert not troubles


@pytest.mark.parametrize("data", [b"a\nbb\nccc", b"a\nbb\nccc\n", b"", b"\n\n", b"x" * 3_000_000 + b"\ny\n"])
def test_packed_and_plain_files_say_the_same(data: bytes) -> None:
    plain = split(lines_of(io.BytesIO(data)))
    assert split(lines_of(io.BytesIO(gzip.compress(data)))) == plain
    assert plain[1] == []


def test_packed_parts_may_follow_one_another_and_zeros_the_last() -> None:
    data = gzip.compress(b"a\nb") + gzip.compress(b"c\n") + bytes(512)
    lines, troubles = split(lines_of(io.BytesIO(data)))
    assert [line for _, _, line in lines] == [b"a", b"bc"]
    assert not troubles


def test_a_packed_file_that_is_cut_off_gives_what_is_there_and_says_so() -> None:
    data = b"".join(b"%d\n" % number for number in range(50_000))
    lines, [trouble] = split(lines_of(io.BytesIO(gzip.compress(data)[:-20_000])))
    assert 10_000 < len(lines) < 50_000
    assert trouble.error == "cut off in the middle of gzip data"
    assert data.startswith(b"\n".join(line for _, _, line in lines))


def test_a_packed_file_that_is_damaged_says_so() -> None:
    packed = bytearray(gzip.compress(b"line\n" * 500))
    packed[-8] ^= 0xFF  # of the checksum
    lines, [trouble] = split(lines_of(io.BytesIO(bytes(packed))))
    assert len(lines) <= 500
    assert trouble.error == "broken gzip: incorrect data check"


def test_what_only_begins_like_a_packed_file_is_broken() -> None:
    _, [trouble] = split(lines_of(io.BytesIO(b"\x1f\x8b{}\n")))
    assert trouble.error.startswith("broken gzip: ")


def test_a_line_without_end_is_left_out_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST", 100)
    monkeypatch.setattr(reading, "CHUNK", 64)
    data = b"first\n" + b"x" * 1_000 + b"\nlast\n"
    lines, [trouble] = split(lines_of(io.BytesIO(data)))
    assert lines == [(1, 0, b"first"), (3, 1_007, b"last")]
    assert (trouble.line, trouble.byte, trouble.error) == (2, 6, "longer than 100 bytes")


def test_unpacking_never_holds_all_of_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST", 1 << 20)
    most = 0
    feed = LineReader.feed

    def watched(self: LineReader, data: bytes) -> object:
        nonlocal most
        most = max(most, len(data))
        return feed(self, data)

    monkeypatch.setattr(LineReader, "feed", watched)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    _, [trouble] = split(lines_of(io.BytesIO(bomb)))
    assert most <= reading.CHUNK
    assert trouble.error.startswith("longer than")


def test_the_bytes_of_the_file_are_told_and_not_those_they_unpack_to() -> None:
    data = gzip.compress(b"line\n" * 100_000)
    told: list[int] = []
    list(lines_of(io.BytesIO(data), told.append))
    assert sum(told) == len(data)
