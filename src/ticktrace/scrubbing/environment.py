"""Secrets that are known by themselves: the values of environment variables that are named like secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["literals", "secrets_of"]

_SHORTEST: Final = 8  # characters; shorter ones would be found in anything
_MOST: Final = 200
_LONGEST: Final = 4_096
# What stands in such variables, and is no secret.
_WORDS: Final = (
    "production development staging testing sandbox disabled enabled required optional anonymous username password"
    " passphrase changeme localhost postgres postgresql mysql redis default undefined basicauth bearerauth"
    " environment keychain keyring insecure"
)
_COMMON: Final = frozenset(_WORDS.split())
_PLACES: Final = ("/", "./", "../", "~", "file:", "arn:", "${", "vault:", "secret:")


def secrets_of(environ: Mapping[str, str], is_secret: Callable[[str], bool]) -> Iterator[str]:
    """The values of the variables whose names are those of secrets."""
    for name, value in environ.items():
        if is_secret(name):
            yield value


def literals(values: Iterable[str]) -> tuple[str, ...]:
    """The values to look for, also as they are written in URLs and in JSON.

    Not those that are too short to be told from other text, common words, or names of places where a secret is kept.
    """
    found: dict[str, None] = {}
    for given in values:
        value = given.strip()
        if (
            not _SHORTEST <= len(value) <= _LONGEST
            or value.lower() in _COMMON
            or value.startswith(_PLACES)
            or len(set(value)) == 1
        ):
            continue
        for form in (value, quote(value, safe=""), json.dumps(value)[1:-1]):
            found[form] = None
        if len(found) >= _MOST:
            break
    return tuple(found)
