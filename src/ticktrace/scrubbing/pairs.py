"""Secrets in text that stand behind their names: ``api_key=…``, ``"apiKey": "…"``, ``X-MBX-APIKEY: …``, ``--token …``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ticktrace.scrubbing.patterns import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["redact_pairs"]

_LONGEST_NAME: Final = 160  # with the quotes behind it

# What parts a name from its value; `("name", "value")` is how lists of headers are written.
_SIGN: Final = re.compile(r"(?:=>|:=|={1,2}|:)\s{0,8}|[\"']\s{0,2},\s{0,4}(?=b?\\*[\"'])").search
# A name with the word before it ("api key: …"), read backwards from the sign.
_NAME_BACKWARDS: Final = re.compile(
    r"\s{0,4}\]?[\"']?\\*(?P<name>[\w.\-]{1,128}+(?: [A-Za-z]{2,12}+(?![\w.\-]))?)"
).match
_FLAG: Final = re.compile(r"--([A-Za-z][\w\-]{0,127}+)(?<!--)\s{1,4}(?=[^\s\-])")
_STRETCH: Final = re.compile(r"\S++").match

_QUOTE: Final = re.compile(r"[bru]{0,2}(?P<quote>\\*[\"'])").match
_SCHEME = r"(?:(?i:bearer|basic|digest|token|apikey|hmac|negotiate|aws4-hmac-sha256)\s{1,4})?"
_SIGNS = r"[^\s\"'&,;<>(){}\[\]|\\]"
_PLAIN: Final = re.compile(rf"{_SCHEME}{_SIGNS}++").match
# Also several of them, as cookies are, and the parts of a digest or a signature.
_PART = r"[\w.\-]{1,64}+=(?:\"[^\"\n]{0,1024}+\"|[^\s\"',;]{0,1024}+)"
_HEADER: Final = re.compile(rf"{_SCHEME}(?:{_PART}|{_SIGNS}++)(?:[,;]\s{{0,2}}{_PART})*+").match
_LINE: Final = re.compile(r"[^\r\n\"'&,;<>(){}\[\]|\\]++").match
_WORD: Final = re.compile(r"[a-z]{1,15}").fullmatch

_BRACKETS: Final = re.compile(r"[\[{(\]})]").finditer
_HEADERS: Final = ("authorization", "cookie", "cookies")
_PHRASES: Final = ("mnemonic", "phrase")
# With a word before and a colon behind, these are named in prose ("invalid signature: expected …", "unexpected token: foo").
_PROSAIC: Final = ("token", "account", "signature")
# What says that there is no secret, or that it was there.
_NOTHING: Final = frozenset(
    {"", "none", "null", "nil", "undefined", "true", "false", "***", "********", "bearer", "basic"}
)


def redact_pairs(text: str, is_secret: Callable[[str], bool]) -> str:
    """The text without the values of secrets' names. Each place is looked at once."""
    kept: list[str] = []
    done = 0  # up to here it is in `kept`
    sign = _SIGN(text)
    while sign is not None:
        at = sign.end()
        before = text[max(done, sign.start() - _LONGEST_NAME) : sign.start()]
        named = _NAME_BACKWARDS(before[::-1])
        if named is not None:
            name = named["name"][::-1]
            if is_secret(name):
                start, end = _value(text, at, name.lower(), prose=sign[0][0] == ":")
                if end > start:
                    kept += (text[done:start], REDACTED)
                    done = at = end
        sign = _SIGN(text, at)
    if kept:
        text = "".join((*kept, text[done:]))
    if "--" in text:
        text = _flags(text, is_secret)
    return text


def _value(text: str, at: int, name: str, *, prose: bool) -> tuple[int, int]:
    """From where to where the value of a secret's name goes; an empty stretch where there is nothing to hide."""
    nothing = (at, at)
    if at >= len(text) or text.startswith(REDACTED, at):
        return nothing
    quote = _QUOTE(text, at)
    if quote is not None:
        start, end = _quoted(text, quote)
        return (start, end) if _tells(text[start:end]) else nothing
    if text[at] in "[{(":
        return at, _closed(text, at)
    kind = _PLAIN
    if name.endswith(_HEADERS):
        kind = _HEADER
    elif prose and name.endswith(_PHRASES):
        kind = _LINE
    value = kind(text, at)
    if value is None or not _tells(value[0]):
        return nothing
    if prose and name.partition(" ")[2] in _PROSAIC and _WORD(value[0]):
        return nothing
    return at, at + len(value[0].rstrip(":.?!"))  # which belong to the sentence


def _closed(text: str, at: int) -> int:
    """Where what is opened there is closed again; the end of the text where it is not."""
    depth = 0
    for bracket in _BRACKETS(text, at):
        depth += 1 if bracket[0] in "[{(" else -1
        if not depth:
            return bracket.end()
    return len(text)


def _quoted(text: str, quote: re.Match[str]) -> tuple[int, int]:
    """The inside of quotes; to the end of the text where the closing one was cut off."""
    sign, start = quote["quote"], quote.end()
    end = text.find(sign, start)
    while end > 0 and len(sign) == 1 and _escaped(text, end):
        end = text.find(sign, end + 1)
    return start, (len(text) if end < 0 else end)


def _escaped(text: str, at: int) -> bool:
    before = at
    while before and text[before - 1] == "\\":
        before -= 1
    return (at - before) % 2 == 1


def _tells(value: str) -> bool:
    return value.strip().lower() not in _NOTHING and value != REDACTED


def _flags(text: str, is_secret: Callable[[str], bool]) -> str:
    """The text without the values of options of a command line."""
    kept: list[str] = []
    done = 0
    for flag in _FLAG.finditer(text):
        if flag.end() >= done and is_secret(flag[1]) and not text.startswith(REDACTED, flag.end()):
            kept += (text[done : flag.end()], REDACTED)
            stretch = _STRETCH(text, flag.end())
            done = flag.end() if stretch is None else stretch.end()
    return "".join((*kept, text[done:])) if kept else text
