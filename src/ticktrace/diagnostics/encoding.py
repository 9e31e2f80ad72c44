"""From a line to its bytes: whatever a bot records, whole, bounded, and without secrets."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from msgspec.structs import astuple, replace

from ticktrace.engine.barrier import report, text_of

from ._plain import TooLongError, plain, plain_text
from .line import Line

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LineEncoder", "Scrubber"]

_LONGEST_WORD: Final = 256
_MOST_WORDS: Final = 50_000  # some 5 MB
_WORDS: Final = ("component", "stage", "symbol", "strategy", "reason", "comparison")
_PLAIN: Final = frozenset({str, int, float, bool, type(None), Decimal})
_NUMBERS: Final = frozenset({int, float, bool, type(None)})
_PLAIN_NUMBER: Final = 100_000  # a longer one may be that of an account
_MOST_DIGITS: Final = 80  # of an integer that is a value: more than that measures nothing


class Scrubber(Protocol):
    """What removes secrets, as `ticktrace.scrubbing` does."""

    def text(self, text: str, /) -> str:
        """The text, with what looks like a secret replaced."""

    def mapping(self, mapping: Mapping[str, Any], /) -> Mapping[str, Any]:
        """The mapping, with what looks or is named like a secret replaced, at any depth."""


class LineEncoder:
    """Makes lines of JSON. Not for several threads at once.

    What needs no conversion, which is nearly everything, goes to msgspec as it is. Words (components, names, reasons,
    symbols) that came through once as they are need not be looked at again.

    Args:
        line_bytes: the longest line. What is longer loses its payload; without that, a line is 3 kB at most.
        scrubber: removes secrets; None where there is none.
    """

    def __init__(self, line_bytes: int, scrubber: Scrubber | None = None) -> None:
        self._most = line_bytes
        self._scrubber = scrubber
        self._largest = 2**63 if scrubber is None else _PLAIN_NUMBER
        self._encode = msgspec.json.Encoder().encode
        self._clean: set[str | None] = {None}
        self._names: set[str | None] = {None}  # as much, and not the name of a secret either

    def encode(self, line: Line) -> bytes:
        """The line as UTF-8, without its end. Raises nothing for whatever is in a line.

        A payload that does not fit is replaced by ``{"truncated": bytes}``, the bytes of the whole line or, of one that
        was not even looked at to its end, at least so many; one that cannot be scrubbed or encoded, by
        ``{"unencodable": type of the error}``.
        """
        try:
            found = self._as_it_is(line)
        except Exception:  # noqa: BLE001  something in it is not plain: this is how one finds out
            found = None
        return self._made_plain(line) if found is None else found

    def word(self, value: object) -> str:
        """Text of one of the fields for words: scrubbed, and cut to 256 characters."""
        try:
            text = plain(_head(value), 4 * _LONGEST_WORD)
            text = text if isinstance(text, str) else str(text)
        except TooLongError:
            text = f"<{type(value).__name__}>"
        scrubber = self._scrubber
        if scrubber is not None:
            try:
                text = scrubber.text(text)
            except Exception as error:  # noqa: BLE001  the barrier: what cannot be scrubbed is not written
                report("journal.scrub", error)
                text = "?"
        return text if len(text) <= _LONGEST_WORD else f"{text[: _LONGEST_WORD - 1]}…"

    def _as_it_is(self, line: Line) -> bytes | None:
        """None when there is something about it."""
        (
            ts,
            component,
            stage,
            symbol,
            strategy,
            candle,
            decision,
            name,
            passed,
            reason,
            value,
            threshold,
            comparison,
            near_miss,
            payload,
            trace_id,
            span_id,
            schema,
        ) = astuple(line)
        clean = self._clean
        if not (
            component in clean
            and stage in clean
            and symbol in clean
            and strategy in clean
            and name in self._names
            and reason in clean
            and comparison in clean
            and component is not None
            and stage is not None
            and (value is None or (type(value) is float and value - value == 0.0) or self._is_plain(value))
            and (
                threshold is None
                or (type(threshold) is float and threshold - threshold == 0.0)
                or self._is_plain(threshold)
            )
            and (candle is None or (type(candle) is float and candle - candle == 0.0) or type(candle) is int)
            and type(ts) is int
            and (decision is None or type(decision) is int)
            and (passed is None or type(passed) is bool)
            and type(near_miss) is bool
            and (trace_id is None or type(trace_id) is str)
            and (span_id is None or type(span_id) is str)
            and (schema is None or type(schema) is int)
        ):
            return None
        if payload is not None:
            if type(payload) is not dict or not self._all_plain(payload):
                return None
            if self._scrubber is not None:
                line = replace(line, payload=self._scrubber.mapping(payload))
        found = self._encode(line)
        return found if len(found) <= self._most else None

    def _is_plain(self, value: Any) -> bool:
        kind = type(value)
        return (
            kind is bool
            or (kind is int and -self._largest < value < self._largest)
            or (kind is str and value in self._clean)
        )

    def _all_plain(self, payload: dict[Any, Any]) -> bool:
        most = self._most
        size = 2 * len(payload)
        for key, value in payload.items():
            kind = type(value)
            if kind is float:
                if value - value != 0.0:  # neither a number nor finite
                    return False
            elif kind is str:
                size += len(value)
            elif kind not in _PLAIN:
                return False
            if type(key) is not str:
                return False
        return size <= most

    def _made_plain(self, line: Line) -> bytes:
        words = {field: self._kept_word(getattr(line, field)) for field in _WORDS}
        value, threshold = (self._scalar(line.name, found) for found in (line.value, line.threshold))
        clean = Line(
            ts=_number(line.ts, int) or 0,
            component=words["component"] or "?",
            stage=words["stage"] or "?",
            symbol=words["symbol"],
            strategy=words["strategy"],
            candle=_number(line.candle, float),
            decision=_number(line.decision, int),
            name=self._name(line.name),
            passed=None if line.passed is None else _truth(line.passed),
            reason=words["reason"],
            value=value,
            threshold=threshold,
            comparison=words["comparison"],
            near_miss=_truth(line.near_miss),
            payload=self._payload(line.payload),
            trace_id=_id(line.trace_id),
            span_id=_id(line.span_id),
            schema=_number(line.schema, int),
        )
        try:
            found = self._encode(clean)
        except Exception as error:  # noqa: BLE001  a scrubber may put anything into it
            report("journal.encode", error)
            return self._encode(replace(clean, payload={"unencodable": type(error).__name__}))
        if len(found) > self._most and clean.payload is not None:
            return self._encode(replace(clean, payload={"truncated": len(found)}))
        return found

    def _kept_word(self, value: object) -> str | None:
        if value is None:
            return None
        found = self.word(value)
        if type(value) is str and value == found:
            _keep(self._clean, value)
        return found

    def _name(self, name: object) -> str | None:
        found = self._kept_word(name)
        if type(name) is str and name == found and not self._is_secret(name):
            _keep(self._names, name)
        return found

    def _is_secret(self, name: str) -> bool:
        """Whether what has this name is a secret."""
        scrubber = self._scrubber
        try:
            return scrubber is not None and _only(scrubber.mapping({name: "0"})) != "0"
        except Exception as error:  # noqa: BLE001  the barrier
            report("journal.scrub", error)
            return True

    def _scalar(self, name: object, value: Any) -> Any:
        """A value or threshold: a number, a truth, or a word."""
        if value is None:
            return None
        try:
            found = plain(_head(value), self._most)
            scrubber = self._scrubber
            if scrubber is not None:
                found = _only(scrubber.mapping({name if type(name) is str else "value": found}))
        except TooLongError:
            return f"<{type(value).__name__}>"
        except Exception as error:  # noqa: BLE001  the barrier: what cannot be scrubbed is not written
            report("journal.scrub", error)
            return "?"
        if type(found) is int and abs(found) >= 10**_MOST_DIGITS:
            return f"<{type(value).__name__}>"
        return found if type(found) in _NUMBERS else self._kept_word(found)

    def _payload(self, payload: Any) -> dict[str, Any] | None:
        if payload is None:
            return None
        try:
            found = plain(payload, self._most)
            mapping = found if isinstance(found, dict) else {"value": found}
            return dict(mapping if self._scrubber is None else self._scrubber.mapping(mapping))
        except TooLongError as error:
            return {"truncated": error.bytes}
        except Exception as error:  # noqa: BLE001  the barrier: what cannot be scrubbed is not written
            report("journal.scrub", error)
            return {"unencodable": type(error).__name__}


def _keep(words: set[str | None], word: str) -> None:
    if len(words) >= _MOST_WORDS:
        words.clear()
        words.add(None)
    words.add(word)


def _head(value: object) -> object:
    """Long text without its end; anything else, also what only says that it is text, as it is."""
    return str.__str__(value)[: 2 * _LONGEST_WORD] if issubclass(type(value), str) else value


def _only(mapping: Mapping[str, Any]) -> Any:
    """The one value of a mapping, whatever its key has become."""
    return next(iter(mapping.values()))


def _number(value: Any, kind: type[int | float]) -> Any:
    """The number of that kind that a value is; None where it is none that JSON knows."""
    if value is None:
        return None
    try:
        found = kind(value)
        return found if abs(found) < 2**63 else None
    except Exception:  # noqa: BLE001  whatever it is: this is how one finds out
        return None


def _truth(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:  # noqa: BLE001  a __bool__ may raise anything
        return False


def _id(value: Any) -> str | None:
    return None if value is None else plain_text(text_of(value))[:64]
