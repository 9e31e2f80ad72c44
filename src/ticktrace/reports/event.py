"""What a report reads of a line: fewer fields than `Line` has, and payloads only where they are looked into."""

from __future__ import annotations

import math
from typing import Final, NoReturn, TypeVar

import msgspec

from ticktrace.diagnostics import SCHEMA_VERSION

__all__ = [
    "EVENTS",
    "Event",
    "FillPayload",
    "OrderPayload",
    "ScanPayload",
    "SessionPayload",
    "SignalPayload",
    "UnreadableLine",
    "event_of",
    "newer",
    "number",
    "payload_as",
    "why_unreadable",
]

Scalar = int | float | str | bool | None
Payload = TypeVar("Payload", bound=msgspec.Struct)

_NOTHING: Final = msgspec.Raw(b"null")


class Event(msgspec.Struct, gc=False):
    """The fields of `ticktrace.diagnostics.Line` that a report needs; others are skipped unread.

    Not frozen and without a place in garbage collections, both for speed: there are millions, each for a moment.
    """

    ts: int
    component: str
    stage: str
    symbol: str | None = None
    strategy: str | None = None
    candle: float | None = None
    decision: int | None = None
    name: str | None = None
    passed: bool | None = None
    reason: str | None = None
    value: Scalar = None
    threshold: Scalar = None
    comparison: str | None = None
    near_miss: bool = False
    payload: msgspec.Raw = _NOTHING
    schema: int | None = None


class SessionPayload(msgspec.Struct):
    """Of the first line of a file: which process wrote it."""

    session: str | None = None
    service: str | None = None
    pid: int | None = None
    started: str | None = None


class ScanPayload(msgspec.Struct):
    """Of a scan: symbols looked at, those that passed, those kept out by filters that only said how many, and how many
    checks of filters have no line because there were too many.
    """

    symbols: int | None = None
    candidates: int | None = None
    filtered: dict[str, int] = {}
    left_out: int = 0


class SignalPayload(msgspec.Struct):
    """Of a signal: whether the evaluation has its line already, and emitted only afterwards."""

    later: bool = False


class OrderPayload(msgspec.Struct):
    """Of an order: whether it is news of an order that has its line already, and what it says."""

    later: bool = False
    status: str | None = None


class FillPayload(msgspec.Struct):
    """Of a fill: whether nothing is left of the order."""

    complete: bool = False


class UnreadableLine(ValueError):  # noqa: N818 - it is the line that is wrong, and not an error of ours
    """A line that is no line of a journal; the message says why."""


EVENTS: Final = msgspec.json.Decoder(Event)

_DECODERS: Final[dict[type, msgspec.json.Decoder[object]]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (SessionPayload, ScanPayload, SignalPayload, OrderPayload, FillPayload)
}


def payload_as(event: Event, kind: type[Payload]) -> Payload:
    """Return what a line carries; an empty one where it carries nothing.

    Raises:
        UnreadableLine: it is something else.
    """
    try:
        found = _DECODERS[kind].decode(event.payload) if event.payload else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if bytes(event.payload) == b"null":
            return kind()
        raise UnreadableLine(f"payload: {why_unreadable(error)}") from None
    assert found is None or isinstance(found, kind)  # noqa: S101 - what the decoder was made for
    return found or kind()


def event_of(line: bytes) -> Event:
    """Read one line.

    Raises:
        UnreadableLine: it is no line of a journal.
    """
    try:
        if not line.isascii():
            line.decode()
        return EVENTS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse(line, error)


def _refuse(line: bytes, error: Exception) -> NoReturn:
    """Raise `UnreadableLine` with the reason why a line cannot be read."""
    if not line.strip(b"\0 \r\t"):
        raise UnreadableLine("nothing but NUL bytes") from None
    raise UnreadableLine(why_unreadable(error)) from None


def why_unreadable(error: Exception) -> str:
    """Say it as people would."""
    if isinstance(error, UnicodeDecodeError):
        return f"invalid UTF-8: {error.reason} at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        return text
    return "cut off" if "truncated" in text else text


def number(scalar: Scalar) -> float | None:
    """Return a value or threshold as a finite float; None for what is no number.

    Decimals are strings in the journal. Truth values are no numbers here: no threshold between them can be moved.
    """
    if scalar is None or scalar is True or scalar is False:
        return None
    try:
        found = float(scalar)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def newer(event: Event) -> bool:
    """Whether the first line of a file says that a newer ticktrace wrote it."""
    return event.schema is not None and event.schema > SCHEMA_VERSION
