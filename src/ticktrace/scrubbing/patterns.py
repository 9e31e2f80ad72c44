"""Secrets that are known by their looks alone: tokens in the forms in which they are issued, keys, users in URLs.

Every pattern takes time in proportion to the text, also of hostile text: it begins with letters that are rare, enters a run
of characters at its first one only, and takes it whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REDACTED", "Hint", "redact_tokens"]

REDACTED: Final = "[redacted]"

# In lower case, and grouped by first letters, which the regular expression engine looks at first.
_HINTS: Final = (
    r"key|secret|token|p(?:ass|wd|w|hrase)|a(?:uth|cc(?:ou|t)|kia|sia|iza)|b(?:earer|asic\s|egin )|c(?:ooki|redential)"
    r"|sign(?!al)|eyj|sk-|k_(?:live|test)|x(?:ox|app-)|hook|:aa|@|g(?:h[a-z]_|ithub_pat|lpat)|mnem|otp|jwt|hmac|iban|npm_|hf_"
    r"|ya29|sg\."
)
_RUN: Final = (
    32  # wherever there are 64 letters and digits in a row, so many from a multiple of it on are some
)


class Hint:
    """A cheap question: whether anything in this room might find something in a text.

    Args:
        further: the user's own words in names of secrets, in lower case.
    """

    def __init__(self, further: Iterable[str]) -> None:
        self._search = re.compile("|".join((_HINTS, *map(re.escape, sorted(further))))).search

    def __call__(self, text: str) -> bool:
        """Whether the text is worth a closer look."""
        return self._search(text.lower()) is not None or (len(text) >= 2 * _RUN and _has_run(text))


def _has_run(text: str) -> bool:
    return any(text[at : at + _RUN].isalnum() for at in range(0, len(text) - _RUN + 1, _RUN))


def _issued(*forms: tuple[str, str]) -> list[tuple[str, re.Pattern[str]]]:
    """Tokens by the letters that they begin with, at the beginning of a word."""
    return [
        (letters, re.compile(rf"{re.escape(letters)}(?<![\w\-]{re.escape(letters)}){rest}"))
        for letters, rest in forms
    ]


_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)"
)
# What must be in the text, and what is then looked for.
_TOKENS: Final[list[tuple[str, re.Pattern[str]]]] = [
    ("-----BEGIN ", _PEM),  # to the end of the text where the end mark was cut off
    *_issued(
        ("eyJ", r"[\w\-]{8,}+\.[\w\-]{4,}+(?:\.[\w\-]*+)?"),  # JWT
        ("sk-", r"[\w\-]{12,}+"),
        ("whsec_", r"\w{16,}+"),
        ("github_pat_", r"\w{16,}+"),
        ("glpat-", r"[\w\-]{16,}+"),
        ("AKIA", r"[A-Z0-9]{16}(?!\w)"),
        ("ASIA", r"[A-Z0-9]{16}(?!\w)"),
        ("AIza", r"[\w\-]{30,}+"),
        ("ya29.", r"[\w\-]{16,}+"),
        ("xapp-", r"[\w\-]{8,}+"),
        ("npm_", r"[A-Za-z0-9]{30,}+"),
        ("hf_", r"[A-Za-z0-9]{20,}+"),
        ("SG.", r"[\w\-]{16,}+\.[\w\-]{16,}+"),
    ),
    ("k_live_", re.compile(r"[spr]k_live_(?<![\w\-].{8})\w{8,}+")),
    ("k_test_", re.compile(r"[spr]k_test_(?<![\w\-].{8})\w{8,}+")),
    ("gh", re.compile(r"gh[opsur]_(?<![\w\-].{4})[A-Za-z0-9]{16,}+")),
    ("xox", re.compile(r"xox[a-z]-(?<![\w\-].{5})[\w\-]{8,}+")),
    (":AA", re.compile(r"(?<!\d)\d{6,12}:AA[\w\-]{16,}+")),  # Telegram's bots
    ("hooks.slack.com/", re.compile(r"(?<=hooks\.slack\.com/)[a-z]{1,20}/[^\s\"'<>\\)]++")),
    ("api/webhooks/", re.compile(r"(?<=api/webhooks/)\d++/[\w\-]++")),  # Discord's
]
_USER: Final = re.compile(r"://([^\s/?#\"'<>\\@]{1,256}+@(?:[^\s/?#\"'<>\\@]{1,64}@)?)")
_LONG_USER: Final = 16  # characters; a name is shorter, a token in its place is not
# Binance's and others' keys and secrets: 64 letters of both cases and digits. Hashes have one case.
_MIXED: Final = re.compile(
    r"(?<![A-Za-z0-9])(?=[a-z0-9]{0,63}[A-Z])(?=[A-Z0-9]{0,63}[a-z])(?=[A-Za-z]{0,63}\d)[A-Za-z0-9]{64}(?![A-Za-z0-9])"
)


def redact_tokens(text: str) -> str:
    """The text without tokens, private keys, and the users in URLs."""
    for needle, pattern in _TOKENS:
        if needle in text:
            text = pattern.sub(REDACTED, text)
    if "@" in text and "://" in text:
        text = _USER.sub(_user, text)
    if _has_run(text):
        text = _MIXED.sub(REDACTED, text)
    return text


def _user(found: re.Match[str]) -> str:
    user = found[1]
    return f"://{REDACTED}@" if ":" in user or len(user) > _LONG_USER else found[0]
