"""What journal files are called: ``diag_<session>_<symbol>_<unix>.jsonl``."""

from __future__ import annotations

import re
import unicodedata
import zlib
from typing import Final

__all__ = ["COMPRESSED", "PARTIAL", "SUFFIX", "file_name", "is_journal", "readable"]

SUFFIX: Final = ".jsonl"
COMPRESSED: Final = ".gz"
PARTIAL: Final = ".part"

_LONGEST: Final = 60
_NAME: Final = re.compile(r"diag_.+\.jsonl(\.gz(\.part)?)?", re.DOTALL)


def file_name(session: str, symbol: str, unix: int, number: int = 1) -> str:
    """The name of a file.

    Args:
        session: of the session, as the user has it.
        symbol: as the application calls it.
        unix: when the file begins, Unix seconds.
        number: 2 and up where the name without it is taken.
    """
    again = f"-{number}" if number > 1 else ""
    return f"diag_{readable(session)}_{readable(symbol)}_{unix}{again}{SUFFIX}"


def readable(text: str) -> str:
    """The text as part of a file's name: ASCII letters, digits, ``.``, ``-`` and ``_``, 60 at most, never nothing.

    Letters lose their accents, and everything else becomes ``_``. Where nothing readable would be left, it is the
    CRC-32 of the text, so that different ones stay different; of no text ``none``.
    """
    if not text:
        return "none"
    head = unicodedata.normalize("NFKD", text[: 4 * _LONGEST])
    letters = "".join(letter for letter in head if not unicodedata.combining(letter))
    name = re.sub(r"\.{2,}|[^A-Za-z0-9.-]+", "_", letters)[:_LONGEST].strip("._-")
    return name or f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def is_journal(name: str) -> bool:
    """Whether a file of this name belongs to a journal: one that grows, one that is complete, or one half compressed."""
    return _NAME.fullmatch(name) is not None
