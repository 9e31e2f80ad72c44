"""Anything at all as what JSON knows: text, numbers, true, false, null, lists, and mappings with text as keys."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np

__all__ = ["TooLongError", "plain", "plain_text"]

_DEEPEST: Final = 16
_LONGEST_REPR: Final = 500
_MOST_BITS: Final = 10_000  # CPython refuses to write longer integers in decimal
_SEQUENCES: Final = (list, tuple, AbstractSet, deque)


class TooLongError(Exception):
    """A value would take more bytes than it may.

    Attributes:
        bytes: how many it would take, at least.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.bytes: int = size


def plain(value: object, most: int) -> Any:
    """What JSON knows of a value; `repr` says the rest.

    Decimals keep their digits, as text. Times are ISO 8601, spans of time seconds. What is no number is ``"NaN"``,
    ``"Infinity"`` or ``"-Infinity"``. Enums are their values; dataclasses and msgspec structs mappings of their fields;
    numpy's scalars and arrays numbers and lists of them; bytes are read as UTF-8; exceptions are ``Type: message``.

    Args:
        value: anything; it may lie about itself, contain itself, and raise when it is looked at.
        most: bytes that it may take at most, roughly: no more is looked at.

    Raises:
        TooLongError: it takes more.
    """
    return _Pass(most).plain(value)


def plain_text(text: str) -> str:
    """The text as UTF-8 can have it: what cannot be encoded is written as an escape."""
    if text.isascii():
        return str.__str__(text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Pass:
    """One value being gone through."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._above: set[int] = set()  # ids of what the value at hand is in

    def plain(self, value: Any) -> Any:
        self._use(2)
        try:
            return self._of(value)
        except TooLongError:
            raise
        except Exception:  # noqa: BLE001  whatever it is: it may raise anything, and be changed meanwhile
            return self._text(_repr(value))

    def _use(self, size: int) -> None:
        self._used += size
        if self._used > self._most:
            raise TooLongError(self._used)

    def _of(self, value: Any) -> Any:
        match value:
            case None | bool():
                return value
            case Enum():
                return self.plain(value.value)
            case str():
                return self._text(value)
            case int():
                return self._integer(int.__int__(value))
            case float():
                return _float(float.__float__(value))
            case Mapping() | AbstractSet() | list() | tuple() | deque():
                return self._nested(value)
            case _:
                return self._of_class(value)

    def _of_class(self, value: Any) -> Any:
        match value:
            case Decimal() | UUID():
                return self._text(str(value))
            case datetime() | date() | time():
                return self._text(value.isoformat())
            case timedelta():
                return _float(value.total_seconds())
            case PurePath():
                return self._text(os.fspath(value))
            case bytes() | bytearray() | memoryview():
                return self._bytes(value)
            case np.generic() | np.ndarray():
                return self._numpy(value)
            case BaseException():
                return self._text(f"{type(value).__name__}: {value}")
            case type():
                return self._text(f"{value.__module__}.{value.__qualname__}")
            case msgspec.Struct():
                return self._nested({name: getattr(value, name) for name in value.__struct_fields__})
            case _ if is_dataclass(value):
                return self._nested({field.name: getattr(value, field.name, None) for field in fields(value)})
            case _:
                return self._text(_repr(value))

    def _text(self, text: str) -> str:
        self._use(len(text))
        return plain_text(text)

    def _integer(self, number: int) -> int | str:
        bits = number.bit_length()
        self._use(bits // 4)
        return number if bits <= _MOST_BITS else hex(number)

    def _bytes(self, value: bytes | bytearray | memoryview) -> str:
        self._use(len(value))
        return bytes(value).decode("utf-8", "backslashreplace")

    def _numpy(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            self._use(2 * value.size)
            return self._nested(value.tolist()) if value.ndim else self.plain(value.item())
        item = value.item()
        # Dates finer than microseconds and long doubles are themselves, or bare integers, to Python.
        if isinstance(value, (np.datetime64, np.timedelta64)) or isinstance(item, np.generic):
            return self._text(str(value))
        return self.plain(item)

    def _nested(self, value: Any) -> Any:
        if id(value) in self._above or len(self._above) >= _DEEPEST:
            return f"<{type(value).__name__}>"
        self._above.add(id(value))
        try:
            if isinstance(value, Mapping):
                self._use(2 * len(value))
                # A copy, which no other thread can change meanwhile.
                return {self._key(key): self.plain(inner) for key, inner in dict(value).items()}
            self._use(2 * len(value))
            return [self.plain(inner) for inner in tuple(value)]
        finally:
            self._above.discard(id(value))

    def _key(self, key: Any) -> str:
        if isinstance(key, str) and not isinstance(key, Enum):
            return self._text(key)
        found = self.plain(key)
        return found if isinstance(found, str) else self._text(str(found))


def _float(number: float) -> float | str:
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  a __repr__ of somebody else's
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= _LONGEST_REPR else f"{text[:_LONGEST_REPR]}…"
