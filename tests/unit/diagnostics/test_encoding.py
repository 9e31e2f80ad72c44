from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticktrace.diagnostics import Line, LineEncoder
from ticktrace.engine import internal_errors
from ticktrace.scrubbing import Scrubber as RealScrubber
from ticktrace.settings.diagnostics import ScrubSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

Pair = namedtuple("Pair", "a b")  # noqa: PYI024  as users write it


class Side(Enum):
    BUY = "buy"


class Level(IntEnum):
    HIGH = 3


class Mode(StrEnum):
    LIVE = "live"


class Text(str):
    __slots__ = ()


@dataclass
class Quote:
    bid: Decimal
    ask: float
    tags: list[str] = field(default_factory=list)


class Candle(msgspec.Struct):
    close: float


class Hostile:
    """Raises wherever it is touched."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __bool__(self) -> bool:
        raise RuntimeError("no")

    def __float__(self) -> float:
        raise RuntimeError("no")

    __int__ = __float__


class Liar:
    """Says that it is text."""

    @property  # type: ignore[misc]  # as proxies and mocks do
    def __class__(self) -> type:
        return str

    def __repr__(self) -> str:
        return "liar"


class Endless(dict[str, Any]):
    """A mapping that cannot be gone through."""

    def __iter__(self) -> Any:
        raise RuntimeError("no")

    keys = items = __iter__


def encoded(payload: Any, line_bytes: int = 16_384, **fields: Any) -> dict[str, Any]:
    data = LineEncoder(line_bytes).encode(
        Line(**{"ts": 1, "component": "c", "stage": "s", "payload": payload, **fields})
    )
    found: dict[str, Any] = json.loads(data, parse_constant=pytest.fail)
    msgspec.json.decode(data, type=Line)
    return found


def of(value: Any) -> Any:
    return encoded({"x": value})["payload"]["x"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.2300"), "1.2300"),
        (Decimal("NaN"), "NaN"),
        (datetime(2025, 8, 19, 22, tzinfo=UTC), "2025-08-19T22:00:00+00:00"),
        (datetime(2025, 8, 19, 22, tzinfo=timezone(timedelta(hours=2))), "2025-08-19T22:00:00+02:00"),
        (date(2025, 8, 19), "2025-08-19"),
        (timedelta(minutes=1, microseconds=5), 60.000005),
        (Side.BUY, "buy"),
        (Level.HIGH, 3),
        (Mode.LIVE, "live"),
        (np.float64(1.5), 1.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.float64("nan"), "NaN"),
        (np.datetime64("2025-08-19T22:00:00.123456789"), "2025-08-19T22:00:00.123456789"),
        (np.longdouble("1.5"), "1.5"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(2.5), 2.5),
        (Quote(Decimal("1.0"), 2.0, ["a"]), {"bid": "1.0", "ask": 2.0, "tags": ["a"]}),
        (Candle(1.5), {"close": 1.5}),
        (Pair(1, "b"), [1, "b"]),
        ((1, [2, {"a": None}]), [1, [2, {"a": None}]]),
        (deque([1]), [1]),
        (frozenset({1}), [1]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (b"raw \xff", "raw \\xff"),
        (bytearray(b"raw"), "raw"),
        (PurePosixPath("/tmp/x"), "/tmp/x"),  # noqa: S108  nobody opens it
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ValueError("too small"), "ValueError: too small"),
        (Fraction(1, 3), "Fraction(1, 3)"),
        (SimpleNamespace(a=1), "namespace(a=1)"),
        (float("nan"), "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (2**70, 2**70),
        (10**4_000, hex(10**4_000)),
        ("\ud800 x", "\\ud800 x"),
        (Text("sub"), "sub"),
        ({1: "a", None: "b", (1, 2): "c", Side.BUY: "d", 1.5: "e"}, ...),
        (Hostile(), "<Hostile, whose repr raised RuntimeError>"),
        (Liar(), "liar"),
        (Endless(a=1), ...),
        (int, "builtins.int"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_is_recorded_serialises(value: Any, expected: Any) -> None:
    before = internal_errors()
    found = of(value)
    if expected is not ...:
        assert found == expected
        assert type(found) is type(expected)
    # The same wherever it is, whether there was anything to convert beside it or not.
    assert of([value, object()])[0] == found
    assert internal_errors() == before


def test_keys_become_text() -> None:
    assert of({1: "a", None: "b", (1, 2): "c", Side.BUY: "d", 1.5: "e"}) == {
        "1": "a",
        "None": "b",
        "[1, 2]": "c",
        "buy": "d",
        "1.5": "e",
    }


def test_what_contains_itself_and_what_is_deep_has_an_end() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert of(loop) == [1, "<list>"]
    twice = [1]
    assert of([twice, twice]) == [[1], [1]]
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    found = of(deep)
    depth = 0
    while isinstance(found, dict):
        found, depth = found["a"], depth + 1
    assert (found, depth) == ("<dict>", 15)


def test_a_long_line_loses_its_payload_and_says_so() -> None:
    found = encoded({"x": "y" * 2_000}, line_bytes=1_000, reason="r", value=1.5)
    assert 2_000 < found["payload"].pop("truncated") < 2_100
    assert found == {"ts": 1, "component": "c", "stage": "s", "reason": "r", "value": 1.5, "payload": {}}


@pytest.mark.parametrize(
    "payload",
    [
        {"x": "y" * 10_000_000},
        {"x": [0] * 3_000_000},
        {"x": np.zeros(3_000_000)},
        {"x": b"y" * 10_000_000},
        dict.fromkeys(range(1_000_000)),
        {"x": [[[list(range(100))] * 100] * 100] * 100},
        {"x": 1 << 10_000_000},
    ],
    ids=["text", "list", "array", "bytes", "dict", "nested", "integer"],
)
def test_what_is_far_too_long_is_not_gone_through(payload: Any) -> None:
    found = encoded(payload)
    assert found["payload"]["truncated"] > 16_384 or len(str(found)) < 600


def test_payload_that_is_no_mapping_is_one_with_a_value() -> None:
    assert encoded([1, 2])["payload"] == {"value": [1, 2]}


def test_long_words_are_cut() -> None:
    long = "x" * 100_000
    found = encoded(None, name=long, reason=long, symbol=long, strategy=long, stage=long, value=long)
    for name in ("name", "reason", "symbol", "strategy", "stage", "value"):
        assert found[name] == "x" * 255 + "…"


def test_fields_of_other_types_become_what_the_schema_has() -> None:
    encoder = LineEncoder(16_384)
    fields: dict[str, Any] = {
        "ts": np.int64(5),
        "component": Side.BUY,
        "stage": 7,
        "symbol": Hostile(),
        "strategy": ["a"],
        "candle": Decimal("1755640800.5"),
        "decision": "no",
        "name": b"raw",
        "passed": np.bool_(False),
        "reason": ValueError("x"),
        "value": np.float32(0.5),
        "threshold": Decimal("1.50"),
        "comparison": None,
        "near_miss": Hostile(),
        "payload": None,
        "trace_id": 12,
        "span_id": "\ud800",
        "schema": None,
    }
    for _ in range(2):  # nor does it once the encoder has seen it
        data = encoder.encode(Line(**fields))
        msgspec.json.decode(data, type=Line, strict=True)
        assert json.loads(data) == {
            "ts": 5,
            "component": "buy",
            "stage": "7",
            "symbol": "<Hostile, whose repr raised RuntimeError>",
            "strategy": "['a']",
            "candle": 1755640800.5,
            "name": "raw",
            "passed": False,
            "reason": "ValueError: x",
            "value": 0.5,
            "threshold": "1.50",
            "trace_id": "12",
            "span_id": "\\ud800",
        }


@pytest.mark.parametrize("name", ["value", "threshold"])
def test_values_that_are_no_numbers(name: str) -> None:
    for value, expected in [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        ("up", "up"),
        (True, True),
        (2**70, 2**70),
        (10**100, "<int>"),
        ([1, 2], "[1, 2]"),
        ({"a": 1}, "{'a': 1}"),
        (Hostile(), "<Hostile, whose repr raised RuntimeError>"),
        ([0] * 100_000, "<list>"),
    ]:
        fields: dict[str, Any] = {name: value}
        found = encoded(None, **fields)[name]
        assert found == expected
        assert type(found) is type(expected)
    assert "candle" not in encoded(None, candle=math.nan)


def test_a_line_is_never_two() -> None:
    data = LineEncoder(1_000).encode(
        Line(ts=1, component="a\nb", stage="s", reason="\r\n", payload={"x\n": "\n\u2028"})
    )
    assert b"\n" not in data
    assert b"\r" not in data


def test_a_payload_that_grows_meanwhile_is_no_harm() -> None:
    payload: dict[str, Any] = {"x": object()}
    ended = threading.Event()

    def grow() -> None:
        number = 0
        while not ended.is_set():
            number = (number + 1) % 200
            payload[f"k{number}"] = [number]
            payload.pop(f"k{(number + 100) % 200}", None)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(300):
            found = encoded(payload, line_bytes=1_000_000)["payload"]
            assert found["x"].startswith("<object object")
    finally:
        ended.set()
        thread.join()


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.timedeltas()
    | st.complex_numbers()
    | st.fractions()
    | st.uuids()
    | st.sampled_from([Side.BUY, Level.HIGH, ValueError, np.float32("inf"), object()])
    | st.builds(Hostile)
    | st.builds(Liar)
    | st.builds(Endless, a=st.none()),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.one_of(st.text(), st.integers(), st.none(), st.floats(), st.tuples(st.text())), inner
        )
        | st.tuples(inner, inner)
        | st.builds(Quote, inner, inner, inner)
        | st.builds(SimpleNamespace, a=inner)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(anything, anything, anything, anything, st.integers(1, 3_000))
def test_anything_is_a_line_of_the_schema(
    payload: Any, value: Any, name: Any, symbol: Any, line_bytes: int
) -> None:
    before = internal_errors()
    data = LineEncoder(line_bytes).encode(
        Line(
            ts=1,
            component="c",
            stage="s",
            payload={"x": payload},
            value=value,
            threshold=value,
            name=name,
            symbol=symbol,
            reason=symbol,
        )
    )
    found = json.loads(data, parse_constant=pytest.fail)
    msgspec.json.decode(data, type=Line, strict=True)
    assert b"\n" not in data
    assert len(data) <= line_bytes or set(found["payload"]) == {"truncated"}
    assert internal_errors() == before


class Scrubber:
    """Replaces what looks like a key, and what is called token."""

    def text(self, text: str) -> str:
        return text.replace("sk-1", "[scrubbed]")

    def mapping(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
        return {
            self.text(key): "[scrubbed]" if key == "token" else self._value(value)
            for key, value in mapping.items()
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.mapping(value)
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        return value


def test_secrets_are_scrubbed_from_every_field() -> None:
    encoder = LineEncoder(16_384, Scrubber())
    words = ("component", "stage", "symbol", "strategy", "name", "reason", "comparison", "value", "threshold")
    for _ in range(2):
        data = encoder.encode(
            Line(
                **{"ts": 1, **dict.fromkeys(words, "a sk-1 b")},  # type: ignore[arg-type]
                payload={
                    "plain": "sk-1",
                    "deep": [{"token": 12345}, {"sk-1": 1}],
                    "object": SimpleNamespace(key="sk-1"),
                    "error": ValueError("sk-1"),
                    "bytes": b"sk-1",
                    "data": Quote("sk-1", 1.0),  # type: ignore[arg-type]
                    1: 2,  # type: ignore[dict-item]
                },
            )
        )
        assert b"sk-1" not in data
        assert b"12345" not in data
        assert data.count(b"[scrubbed]") == len(words) + 7
        msgspec.json.decode(data, type=Line)
    plain = encoder.encode(Line(ts=1, component="c", stage="s", payload={"token": 1, "x": "sk-1", "y": 2}))
    assert json.loads(plain)["payload"] == {"token": "[scrubbed]", "x": "[scrubbed]", "y": 2}


def test_the_value_of_what_is_named_like_a_secret_is_one() -> None:
    encoder = LineEncoder(16_384, Scrubber())
    for _ in range(2):
        found = json.loads(
            encoder.encode(Line(ts=1, component="c", stage="s", name="token", value=12345, threshold="12345"))
        )
        assert (found["value"], found["threshold"]) == ("[scrubbed]", "[scrubbed]")
        other = json.loads(encoder.encode(Line(ts=1, component="c", stage="s", name="volume", value=1.5)))
        assert other["value"] == 1.5


def test_what_cannot_be_scrubbed_is_not_written() -> None:
    class Broken:
        def text(self, text: str) -> str:
            raise RuntimeError("no")

        def mapping(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
            raise RuntimeError("no")

    data = LineEncoder(16_384, Broken()).encode(
        Line(ts=1, component="c", stage="s", name="n", value=1, reason="sk-1", payload={"x": "sk-1"})
    )
    assert b"sk-1" not in data
    found = json.loads(data)
    assert found["payload"] == {"unencodable": "RuntimeError"}
    assert (found["name"], found["reason"], found["value"]) == ("?", "?", "?")


def test_a_scrubber_that_puts_anything_into_a_payload_does_no_harm() -> None:
    class Odd:
        def text(self, text: str) -> str:
            return text

        def mapping(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
            return {"x": object()}

    found = json.loads(
        LineEncoder(16_384, Odd()).encode(Line(ts=1, component="c", stage="s", payload={"x": 1}))
    )
    assert found["payload"] == {"unencodable": "TypeError"}


def test_ever_new_words_do_not_add_up() -> None:
    encoder = LineEncoder(16_384)
    for number in range(60_000):
        encoder.encode(Line(ts=1, component="c", stage="s", reason=f"free text {number}"))
    assert len(encoder._clean) <= 50_000


def test_with_the_scrubber_that_ticktrace_has() -> None:
    encoder = LineEncoder(16_384, RealScrubber(ScrubSettings(), {"EXCHANGE_ACCOUNT_ID": "8812345678"}))
    for _ in range(2):
        data = encoder.encode(
            Line(
                ts=1,
                component="c",
                stage="s",
                value=8812345678,
                reason="Authorization: Bearer abcdefghij0123456789abcdefghij",
                payload={"api_key": "k3y", "deep": {"password": "hunter2"}, "plain": 1.5, "id": "8812345678"},
            )
        )
        for secret in (b"8812345678", b"abcdefghij", b"k3y", b"hunter2"):
            assert secret not in data
        assert json.loads(data)["payload"]["plain"] == 1.5
        msgspec.json.decode(data, type=Line)


def test_nothing_is_converted_where_nothing_needs_to_be() -> None:
    encoder = LineEncoder(16_384, Scrubber())
    line = Line(
        ts=1,
        component="strategy",
        stage="condition",
        symbol="BTC/USDT",
        strategy="momentum",
        candle=1_755_640_800.0,
        decision=7,
        name="volume",
        passed=False,
        reason="signal:momentum:volume",
        value=1.5,
        threshold=2,
        comparison=">=",
        near_miss=True,
        payload={"ms": 1.5, "venue": "x", "n": 1, "gap": None, "ok": True, "price": Decimal("1.50")},
        trace_id="0" * 32,
        span_id="1" * 16,
        schema=1,
    )
    assert encoder._as_it_is(line) is None  # it has not seen the words
    slowly = encoder.encode(line)
    assert encoder._as_it_is(line) == slowly == msgspec.json.encode(line)
