"""Replaces secrets by `[redacted]`: in text, under names, in values of any depth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from functools import lru_cache
from numbers import Number
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic import BaseModel, SecretStr

from ticktrace.scrubbing.environment import literals, secrets_of
from ticktrace.scrubbing.keys import SecretKeys
from ticktrace.scrubbing.patterns import REDACTED
from ticktrace.scrubbing.text import TextScrubber

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ticktrace.settings import ScrubSettings, Settings

__all__ = ["Scrubber", "scrubber_of"]

_MOST_KNOWN: Final = 8_192  # clean texts that are remembered, and the longest of them: at most some 2 MB
_LONGEST_KNOWN: Final = 160
_DEEPEST: Final = 16
_MOST_ITEMS: Final = 10_000  # of one value, over all its levels
_ACCOUNTS: Final = ("account", "accounts", "acct")
# Written as they are: nothing of the application's speaks through them.
_PLAIN: Final = (Number, date, time, timedelta, UUID)
_SIZED: Final = (str, bytes, Mapping, list, tuple, AbstractSet)


class Scrubber:
    """Finds secrets and replaces them by ``[redacted]``. Never raises: what it cannot look at is replaced.

    What is a secret: whatever goes by the name of one (``api_key``, ``Authorization``, ``account_id``), whatever looks
    like one (``Bearer …``, ``AKIA…``, ``https://user:password@…``), the values of environment variables that are named
    like secrets, and what the settings add. Threads may share it.

    Args:
        settings: whether and what; the group ``diagnostics.scrub``.
        environ: the environment, read once and now.
        values: further secrets themselves, such as headers of an exporter.

    Attributes:
        enabled: whether it replaces anything.
        clean: texts that are known to have no secret.
        names: names that are known to be neither those of secrets nor secrets themselves.
        numbers: numbers that are secrets.
    """

    def __init__(
        self,
        settings: ScrubSettings,
        environ: Mapping[str, str] = os.environ,
        values: Iterable[str] = (),
    ) -> None:
        self.enabled: bool = settings.enabled
        self.secret_key: SecretKeys = SecretKeys(settings.keys)
        known = (*secrets_of(environ, self.secret_key), *values) if settings.environment else tuple(values)
        self._set_up(settings.patterns, literals(known))

    def _set_up(self, patterns: Sequence[str], secrets: tuple[str, ...]) -> None:
        self._find = TextScrubber(self.secret_key, patterns, secrets)
        self.numbers: frozenset[int] = frozenset(int(secret) for secret in secrets if secret.isdecimal())
        self.clean: set[str] = set()
        self.names: set[str] = set()

    def text(self, text: str) -> str:
        """The text without its secrets; the same object where it has none.

        Of a text of more than 65,536 characters in which there may be secrets, the rest is cut off.
        """
        try:
            if text in self.clean or not self.enabled:
                return text
            found = self._find(text)
            if found is text and len(text) <= _LONGEST_KNOWN:
                if len(self.clean) >= _MOST_KNOWN:
                    self.clean.clear()
                self.clean.add(text)
        except Exception:  # noqa: BLE001  no text, or one that nobody can read: better nothing than a secret
            return REDACTED
        return found

    def plain(self, name: str) -> bool:
        """Whether a name is neither that of a secret nor has one in it. Never raises."""
        if name in self.names:
            return True
        good = not self.enabled or (self.text(name) is name and not self.secret_key(name))
        if good:
            if len(self.names) >= _MOST_KNOWN:
                self.names.clear()
            self.names.add(name)
        return good

    def under(self, key: str, value: Any) -> Any:
        """What may stand under a name: `value` without its secrets, or nothing of it where the name says so."""
        try:
            return self._under(key, value, _Budget()) if self.enabled else value
        except Exception:  # noqa: BLE001  see text
            return REDACTED

    def value(self, value: Any) -> Any:
        """A value without its secrets; the same object where it has none.

        Mappings, sequences and sets are looked into. Of anything that is neither these nor text nor a number, the ``repr``
        is looked at: with a secret in it, that is what is given back, less the secret.
        """
        try:
            return self._value(value, "", _Budget()) if self.enabled else value
        except Exception:  # noqa: BLE001  see text
            return REDACTED

    def mapping(self, mapping: Mapping[Any, Any]) -> dict[Any, Any]:
        """A copy of a mapping without its secrets: those in its values, its keys, and all that its keys name.

        Where it cannot be read, it is empty.
        """
        try:
            if not self.enabled:
                return dict(mapping)
            cleaned = self._mapping(mapping, "", _Budget())
            return dict(cleaned) if cleaned is mapping else cleaned
        except Exception:  # noqa: BLE001  see text
            return {}

    def _value(self, value: Any, path: str, budget: _Budget) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is int:
            return REDACTED if value in self.numbers else value
        if kind in {float, bool, type(None)}:
            return value
        if isinstance(value, str):
            plain = str.__str__(value)
            text = self.text(plain)
            return value if text is plain else text
        if isinstance(value, bytes | bytearray):
            text = value.decode("latin-1")
            return value if self.text(text) is text else REDACTED
        if isinstance(value, _PLAIN):
            return value
        return self._container(value, path, budget)

    def _container(self, value: Any, path: str, budget: _Budget) -> Any:
        if not isinstance(value, Mapping | list | tuple | AbstractSet):
            return self._spoken(value)
        if budget.depth >= _DEEPEST or budget.items <= 0:
            return REDACTED
        budget.depth += 1
        try:
            if isinstance(value, Mapping):
                return self._mapping(value, path, budget)
            return self._items(value, path, budget)
        finally:
            budget.depth -= 1

    def _mapping(self, mapping: Mapping[Any, Any], path: str, budget: _Budget) -> Any:
        cleaned: dict[Any, Any] = {}
        same = True
        for key, value in mapping.items():
            budget.items -= 1
            named = self._value(key, "", budget) if not isinstance(key, tuple) else key
            inside = self._under(f"{path}{key}" if isinstance(key, str) else path, value, budget)
            same = same and inside is value and named is key
            cleaned[named] = inside
        return mapping if same else cleaned

    def _under(self, key: str, value: Any, budget: _Budget) -> Any:
        if self.secret_key(key):
            if value is None or isinstance(value, bool) or (isinstance(value, _SIZED) and not value):
                return value  # tells nothing
            if not (isinstance(value, Mapping) and key.lower().endswith(_ACCOUNTS)):
                return REDACTED
        return self._value(value, f"{key}.", budget)

    def _items(self, value: Any, path: str, budget: _Budget) -> Any:
        cleaned = []
        same = True
        flag = False  # the item before is an option of a command line that names a secret
        for item in value:
            budget.items -= 1
            inside = REDACTED if flag and isinstance(item, str) else self._value(item, path, budget)
            flag = isinstance(item, str) and item[:1] == "-" and "=" not in item and self.secret_key(item)
            same = same and inside is item
            cleaned.append(inside)
        if same:
            return value
        return tuple(cleaned) if isinstance(value, tuple) else cleaned

    def _spoken(self, value: Any) -> Any:
        """Something of a class that is not known here: what it would say of itself is what might be written."""
        for said in (repr(value), str(value)):
            found = self.text(said)
            if found is not said:
                return found
        return value


class _Budget:
    """How far one value is looked into."""

    __slots__ = ("depth", "items")

    def __init__(self) -> None:
        self.depth = 0
        self.items = _MOST_ITEMS


@lru_cache(maxsize=8)
def _made(settings: ScrubSettings, values: tuple[str, ...]) -> Scrubber:
    return Scrubber(settings, {}, values)


def _secrets_in(settings: object) -> Iterator[str]:
    if isinstance(settings, SecretStr):
        yield settings.get_secret_value()
    elif isinstance(settings, BaseModel):
        for name in type(settings).model_fields:
            yield from _secrets_in(getattr(settings, name))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from _secrets_in(value)
    elif isinstance(settings, tuple):
        for value in settings:
            yield from _secrets_in(value)


def scrubber_of(settings: Settings, environ: Mapping[str, str] = os.environ) -> Scrubber:
    """The scrubber for these settings in this environment; the same one for the same, since many parts want one.

    Secrets among the settings, such as headers of the OTLP exporters, count as secrets, too.
    """
    scrub = settings.diagnostics.scrub
    found: list[str] = []
    if scrub.environment:
        found += secrets_of(environ, SecretKeys(scrub.keys))
    found += _secrets_in(settings)
    return _made(scrub, tuple(dict.fromkeys(found)))
