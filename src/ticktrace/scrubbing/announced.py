"""Secrets that a word in the text announces: ``Bearer …``, ``account U1234567``, ``the API key … is invalid``."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

from ticktrace.scrubbing.patterns import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["redact_announced"]

_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_OPEN = r"[\"'`(<]?"

_WORDS: Final = re.compile(
    r"key|secret|token|sign(?:ature)?|hmac|pass(?:word|phrase)|credential|bearer|basic|acc(?:ount|t)"
).finditer
_BEARER: Final = re.compile(r"\s{1,4}(?P<value>[\w.~+/=\-]{6,}+)").match
_BASIC: Final = re.compile(r"\s{1,4}(?P<value>[A-Za-z0-9+/]{6,}+={0,2})").match
# At least 32 signs of hexadecimal or Base64.
_LONG: Final = re.compile(
    rf"s?[\"']?[\s:=#(<]{{1,4}}(?:(?:is|was|of|value)\s)?{_OPEN}(?P<value>[\w+/\-]{{32,}}+={{0,2}})"
).match
# Shorter, but with a digit.
_SHORT: Final = re.compile(
    rf"[ #(]{{1,3}}(?:(?:is|was|of)\s)?{_OPEN}(?P<value>(?=[A-Za-z\-_]{{0,64}}\d)[\w+/=\-]{{8,}}+)"
).match
_ACCOUNT: Final = re.compile(
    r"s?\.?(?:\s{1,2}(?i:ids?|no\.?|nr\.?|number|num|code|#))?[\"']?[\s:=#(\[]{1,4}(?:is\s|was\s)?[\"']?"
    rf"(?P<value>{_UUID}|[A-Z]{{1,4}}-?\d{{4,}}+[A-Z0-9\-]{{0,12}}|\d{{6,}}+)(?!\.\d)(?!\w)"
).match
# Interactive Brokers' accounts; taken for what they are in a text that speaks of accounts.
_BROKER: Final = re.compile(r"[DUFI](?<![A-Za-z0-9].)[UFI]?\d{6,9}(?![A-Za-z0-9])")

# After "bearer" these are words about tokens.
_PROSE: Final = (
    "authentication authorization credential credentials expired format header invalid malformed missing realm= required"
    " scheme scope= error= token tokens"
)
_PROSE_WORDS: Final = frozenset(_PROSE.split())
_NO_KEYS: Final = ("cache ", "idempotency ", "public ")
_SHORT_AFTER: Final = (
    *(f"{word}{sign}" for word in ("api", "access", "auth", "secret") for sign in " _-"),
    "authentication ",
)
_ITSELF: Final = ("secret", "password", "passphrase")


def redact_announced(text: str) -> str:
    """The text without what is announced as a secret."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter became two: places in the one are not those in the other
        lowered = text.translate(_LOWER)
    kept: list[str] = []
    done = 0  # up to here it is in `kept`
    accounts = False
    for word in _WORDS(lowered):
        accounts = accounts or word[0].startswith("acc")
        if word.start() >= done:
            found = _FINDERS.get(word[0], _find_long)(text, lowered, word)
            if found is not None:
                start, end = found.span("value")
                kept += (text[done:start], REDACTED)
                done = end
    if kept:
        text = "".join((*kept, text[done:]))
    return _BROKER.sub(REDACTED, text) if accounts else text


_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

Found = re.Match[str] | None


def _find_bearer(text: str, lowered: str, word: re.Match[str]) -> Found:
    found = None if _within(lowered, word.start()) else _BEARER(text, word.end())
    return None if found is None or found["value"].lower().rstrip(".") in _PROSE_WORDS else found


def _find_login(text: str, lowered: str, word: re.Match[str]) -> Found:
    """`user:password` in Base64, rather than a word that happens to follow "basic"."""
    found = None if _within(lowered, word.start()) else _BASIC(text, word.end())
    if found is None:
        return None
    encoded = found["value"]
    try:
        return found if b":" in base64.b64decode(encoded + "=" * (-len(encoded) % 4)) else None
    except (binascii.Error, ValueError):
        return None


def _find_account(text: str, lowered: str, word: re.Match[str]) -> Found:
    at = word.start()
    return None if at and lowered[at - 1].isalpha() else _ACCOUNT(text, word.end())


def _find_long(text: str, lowered: str, word: re.Match[str]) -> Found:
    at = word.start()
    before = lowered[max(0, at - 16) : at]
    if before.endswith(_SHORT_AFTER) or (word[0] in _ITSELF and not _within(lowered, at)):
        found = _SHORT(text, word.end())
        if found is not None:
            return found
    if _within(lowered, at) or (word[0] == "key" and before.endswith(_NO_KEYS)):
        return None
    return _LONG(text, word.end())


def _within(lowered: str, at: int) -> bool:
    """Whether what begins there goes on with a word from before."""
    before = lowered[at - 1] if at else " "
    return before.isalnum() or before in "_.-"


_FINDERS: Final[Mapping[str, Callable[[str, str, re.Match[str]], Found]]] = {
    "bearer": _find_bearer,
    "basic": _find_login,
    "account": _find_account,
    "acct": _find_account,
}
