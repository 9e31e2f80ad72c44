"""Secrets that are known by the names they go by: ``apiKey``, ``X-MBX-APIKEY``, ``db.password``, ``account_id``.

A name is taken apart into words, and its last words decide: ``api_key`` names a secret, ``api_key_length`` a length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SecretKeys", "words_of"]

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST: Final = 256  # characters of a name that are looked at, its last ones
_MOST_KNOWN: Final = 4_096

# One word is enough, and what follows it may say which form of the secret it is.
_STRONG: Final = (
    "apikey apisecret apitoken secret secrets secretkey clientsecret privatekey authkey accesskey accesstoken authtoken"
    " refreshtoken jwt bearer password passwords passwd passphrase passcode pwd mnemonic credential credentials otp totp"
)
# One word is enough, but many an innocent thing is named after it: token_value, account_type, signature_count.
_WEAK: Final = (
    "token authorization auth cookie cookies signature"
    " account accounts acct subaccount accountid accountno accountnumber iban"
)
# First words that make a secret of what follows them.
_KEYS: Final = (
    "api access secret private auth client consumer signing encryption master session listen ssh license deploy app"
    " application shared webhook hmac storage subscription"
)
_PASSES: Final = (
    "db database smtp mail email redis rabbitmq mysql postgres pg http proxy ftp mqtt admin root user"
)
_PHRASES: Final = (
    *((word, "key") for word in _KEYS.split()),
    *((word, "keys") for word in _KEYS.split()),
    *((word, "pass") for word in _PASSES.split()),
    *((word, "pw") for word in _PASSES.split()),
    *(("api", word) for word in ("secret", "token", "sign", "phrase")),
    *((word, "key", "id") for word in ("api", "access")),
    *(("seed", "phrase"), ("recovery", "phrase"), ("webhook", "url"), ("hook", "url")),
    *(("access", "sign"), ("bapi", "sign")),
    *(
        ("account", word)
        for word in ("id", "ids", "no", "nr", "number", "num", "code", "key", "uid", "uuid", "hash")
    ),
    *(("acct", word) for word in ("id", "ids", "no", "nr", "number", "num", "code", "key")),
    ("sub", "account"),
    ("sub", "account", "id"),
)
# What may follow any of them: which of several it is.
_WHICH: Final = (
    "a b c prod production live paper test testnet mainnet sandbox demo dev development staging main sub primary secondary"
    " backup old new current previous read ro write rw trade trading env"
)
# What may follow the strong ones: how it is written.
_FORM: Final = "value hash hashed header string text plain raw b64 base64 hex encoded encrypted"
# Before `token`: the kind of a thing that is traded, which is no secret.
_TRADED: Final = "base quote native reward gas fee lp erc input output governance utility stable wrapped traded sell buy from to"
_TAIL: Final = frozenset(_WHICH.split())
_LONG_TAIL: Final = _TAIL | frozenset(_FORM.split())
_COINS: Final = frozenset(_TRADED.split())
# Names of OpenTelemetry's that would match, and name nothing that opens a door.
_EXEMPT: Final = frozenset({"cloud.account.id"})


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, split at signs, digits and changes of case."""
    return tuple(word.lower() for word in _WORD.findall(name[-_LONGEST:]))


class SecretKeys:
    """Tells names of secrets from others, and remembers.

    Args:
        further: words, or names of several, that name secrets, too.
    """

    def __init__(self, further: Iterable[str] = ()) -> None:
        own = {words for words in map(words_of, further) if words}
        strong: set[tuple[str, ...]] = {(word,) for word in _STRONG.split()}
        self._strong = strong | {phrase for phrase in _PHRASES if "account" not in phrase} | own
        self._weak = {(word,) for word in _WEAK.split()} | set(_PHRASES) - self._strong
        self._longest = max(map(len, self._strong | self._weak))
        self.further: frozenset[str] = frozenset(word for words in own for word in words)
        """The words of the user's own, in lower case."""
        self._known: dict[str, bool] = {}

    def __call__(self, name: str) -> bool:
        """Whether `name` is that of a secret."""
        known = self._known.get(name)
        if known is None:
            known = self._judge(name)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[name] = known
        return known

    def _judge(self, name: str) -> bool:
        words = words_of(name)
        if not words or name in _EXEMPT:
            return False
        if self._ends(words, self._strong):
            return True
        named = _without(words, _TAIL)
        if self._ends(named, self._weak):
            return named[-1] != "token" or len(named) == 1 or named[-2] not in _COINS
        return self._ends(_without(words, _LONG_TAIL), self._strong)

    def _ends(self, words: tuple[str, ...], phrases: set[tuple[str, ...]]) -> bool:
        return any(words[-length:] in phrases for length in range(1, min(self._longest, len(words)) + 1))


def _without(words: tuple[str, ...], tail: frozenset[str]) -> tuple[str, ...]:
    """Less the words at the end that only say which one or in which form, and numbers."""
    while len(words) > 1 and (words[-1] in tail or words[-1].isdigit()):
        words = words[:-1]
    return words
