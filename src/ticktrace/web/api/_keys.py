"""Who holds a key: those of the settings, and those of a file that may change while the bot runs."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Literal, NamedTuple

from ticktrace.engine import warn_once
from ticktrace.errors import SettingsError
from ticktrace.settings import SHORTEST_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.settings import ApiSettings

__all__ = ["Caller", "Keys", "Role"]

Role = Literal["read", "admin"]

_LARGEST_FILE = 65_536
_FIELDS = 3
_LONGEST_NAME = 64


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        name: of the key, or ``loopback``.
        role: what that allows.
    """

    name: str
    role: Role


class _Key(NamedTuple):
    digest: bytes
    caller: Caller


class Keys:
    """The keys in force. Thread-safe, without a lock that a fork could leave held.

    A key's digest is all that is kept of it. The file is looked at with each question, which takes some microseconds, and
    read when it has changed. What cannot be read in it opens nothing: a line that is wrong is no key, and a file that is
    gone has none.

    Args:
        settings: the keys, and where the file is.

    Raises:
        SettingsError: the file is not there, or a line of it is wrong.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self._file = settings.keys_file
        own: list[_Key] = []
        for role, keys in (("read", settings.read_keys), ("admin", settings.admin_keys)):
            for name, secret in keys.items():
                own.append(_key(role, name, secret.get_secret_value()))  # type: ignore[arg-type]
        self._own = tuple(own)
        self._signature: tuple[int, ...] | None = None
        self._from_file: tuple[_Key, ...] = ()
        if self._file is not None:
            try:
                self._signature = _signature(self._file)
                self._from_file, problems = _read(self._file)
            except OSError as error:
                problems = [f"cannot be read: {error.strerror}"]
            if problems:
                raise SettingsError([f"api.keys_file: {self._file}: {problem}" for problem in problems])

    @property
    def any(self) -> bool:
        """Whether there is any key."""
        return bool(self._own or self._current())

    def find(self, presented: bytes) -> Caller | None:
        """Who holds this key; None when nobody does. Takes as long for a wrong one as for any right one."""
        digest = hashlib.sha256(presented).digest()
        found: Caller | None = None
        for key in (*self._own, *self._current()):
            if hmac.compare_digest(key.digest, digest) and (found is None or key.caller.role == "admin"):
                found = key.caller
        return found

    def _current(self) -> tuple[_Key, ...]:
        file = self._file
        if file is None:
            return ()
        try:
            signature = _signature(file)
            if signature != self._signature:
                self._from_file, problems = _read(file)
                self._signature = signature
                for problem in problems:
                    warn_once("api.keys_file", "ticktrace: api.keys_file: %s: %s", file, problem)
        except OSError as error:
            self._from_file, self._signature = (), None
            said = "ticktrace: api.keys_file: %s cannot be read: %s"
            warn_once("api.keys_file", said, file, error.strerror)
        return self._from_file


def _key(role: Role, name: str, value: str) -> _Key:
    return _Key(hashlib.sha256(value.encode()).digest(), Caller(name, role))


def _signature(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path) -> tuple[tuple[_Key, ...], list[str]]:
    """The keys of a file, and what is wrong with it; no line's text is in a problem, as it may be a key.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        content = opened.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        return (), [f"is longer than {_LARGEST_FILE} bytes"]
    keys: list[_Key] = []
    problems: list[str] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != _FIELDS or words[0] not in {"read", "admin"}:
            problems.append(f'line {number} is not "read NAME KEY" or "admin NAME KEY"')
            continue
        role: Role = "admin" if words[0] == "admin" else "read"
        _, name, value = words
        if len(value) < SHORTEST_KEY or not value.isascii():
            problems.append(f"the key in line {number} is not of {SHORTEST_KEY} ASCII characters at least")
        elif len(name) > _LONGEST_NAME or not name.isprintable():
            problems.append(f"the name in line {number} is not one of {_LONGEST_NAME} characters at most")
        else:
            keys.append(_key(role, name, value))
    return tuple(keys), problems
