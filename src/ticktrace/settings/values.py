"""What a setting may hold: one `Rule` a kind of value, which parses, words the error and shapes the JSON schema.

A rule accepts what any source can say: text from an environment variable, a YAML scalar, a Python object, and
the value it has itself produced (so that checking twice is harmless).
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "Argument",
    "Bool",
    "Buckets",
    "Count",
    "Duration",
    "Durations",
    "Endpoint",
    "FilePath",
    "HistogramScale",
    "HistogramSize",
    "Names",
    "Nanoseconds",
    "Percentiles",
    "Port",
    "Ratio",
    "Rule",
    "Secret",
    "Text",
    "Thresholds",
    "UrlPath",
    "Whole",
    "choice",
    "did_you_mean",
    "parse_buckets",
    "parse_duration",
    "wrong",
]

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(ns|us|µs|ms|s|m|h|d)?")
_SHORTEST_PREFIX = 3
_SCHEMES = frozenset({"http", "https", "grpc", "dns", "unix"})


def wrong(message: str) -> PydanticCustomError:
    """The error that carries `message` to the user as it stands."""
    return PydanticCustomError("setting", "{message}", {"message": message})


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return ` (did you mean "…"?)` when one of `known` looks like `word`, else nothing."""
    import difflib  # noqa: PLC0415 - only a wrong setting needs it, and importing it takes a millisecond

    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if not close and len(word) >= _SHORTEST_PREFIX:
        close = [name for name in folded if name.startswith(word.casefold())]
    return f' (did you mean "{folded[close[0]]}"?)' if close else ""


@dataclass(frozen=True)
class Rule:
    """One kind of value: how to parse it, the words for what is allowed, and its JSON schema.

    Attributes:
        allowed: completes "must be …" in errors and fills the reference table.
        parse: turns any source's value into the setting's; raises ValueError or TypeError when it cannot.
        schema: JSON schema of what a file may say.
        secret: the value must never be shown.
    """

    allowed: str
    parse: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(hash=False)
    secret: bool = False

    def __call__(self, value: Any) -> Any:
        """Return the parsed value; raises an error that says what is allowed."""
        try:
            return self.parse(value)
        except (ValueError, TypeError, OverflowError) as error:
            if isinstance(error, PydanticCustomError):
                raise
            raise wrong(f"must be {self.allowed}") from None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError
    return value.strip()


def _argument(value: Any) -> str:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else _text(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[word]


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str, float)):
        raise TypeError
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, str, float)):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _ints(allowed: str, minimum: int | None = None, maximum: int | None = None) -> Rule:
    def parse(value: Any) -> int:
        number = _int(value)
        if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
            raise ValueError
        return number

    bounds = {"minimum": minimum, "maximum": maximum}
    return Rule(allowed, parse, {"type": "integer", **{key: n for key, n in bounds.items() if n is not None}})


def _ratio(value: Any) -> float:
    number = _float(value)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def parse_duration(value: Any) -> float:
    """Return seconds > 0 from a number (seconds) or text such as `500ms`, `5s`, `1m`.

    Raises:
        ValueError: not a duration, or not above zero.
        TypeError: neither a number nor text.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(value)
        number, factor = float(match[1]), _UNITS[match[2] or "s"]
        # 500 * 1e-3 is exact, 5 * 1e-6 is not: shorten to the digits that were written.
        seconds = number if factor == 1 else float(f"{number * factor:.15g}")
    else:
        seconds = _float(value)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(value)
    return seconds


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)):
        return list(value)
    raise TypeError


def _names(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_text(item) for item in _items(value)))


def parse_buckets(value: Any) -> tuple[float, ...]:
    """Return the bounds of a histogram.

    Raises:
        ValueError: they do not increase, or there are none.
        TypeError: they are no numbers.
    """
    bounds = tuple(_float(item) for item in _items(value))
    if not bounds or any(low >= high for low, high in itertools.pairwise(bounds)):
        raise ValueError
    return bounds


def _thresholds(value: Any) -> tuple[float, ...]:
    items = value.split("|") if isinstance(value, str) else value
    if isinstance(items, (int, float)):
        items = [items]
    if not isinstance(items, (list, tuple)) or not items:
        raise TypeError
    return tuple(sorted({parse_duration(item) for item in items}))


def _durations(value: Any) -> tuple[float, ...]:
    durations = tuple(sorted({parse_duration(item) for item in _items(value)}))
    if not durations:
        raise ValueError
    return durations


def _percentiles(value: Any) -> tuple[float, ...]:
    numbers = tuple(sorted({_float(item) for item in _items(value)}))
    if not all(0 < number < 100 for number in numbers):  # noqa: PLR2004  percent
        raise ValueError
    return numbers


def _path(value: Any) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


def _url_path(value: Any) -> str:
    text = _text(value)
    if not text.startswith("/") or any(sign in text for sign in " ?#{"):
        raise ValueError
    return text


def _host(value: Any) -> str:
    text = _text(value)
    is_ipv6 = text.count(":") > 1
    if "/" in text or any(sign.isspace() for sign in text) or (":" in text and not is_ipv6):
        raise ValueError
    return text


def _endpoint(value: Any) -> str:
    text = _text(value)
    scheme, has_scheme, rest = text.partition("://")
    if any(sign.isspace() for sign in text) or (has_scheme and scheme.lower() not in _SCHEMES):
        raise ValueError
    if text.startswith("unix:"):
        return text
    authority = re.split(r"[/?#]", rest if has_scheme else text, maxsplit=1)[0]
    host, colon, port = authority.rpartition("@")[2].rpartition("]")[2].partition(":")
    if colon:
        _ints("", 1, 65535).parse(port)
    if not (host or authority.endswith("]") or "]:" in authority):
        raise ValueError
    return text


def _secret(value: Any) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(_text(value))


def choice(known: Any, *, aliases: Mapping[str, Any] | None = None, upper: bool = False) -> Rule:
    """The rule for a `Literal`: any case is accepted, and a misspelling gets a suggestion.

    Args:
        known: the `Literal` type whose arguments are allowed.
        aliases: further words and what they mean.
        upper: the known words are upper case (else lower case).
    """
    words: tuple[str, ...] = get_args(known)
    also = dict(aliases or {})

    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError
        word = value.strip().upper() if upper else value.strip().lower()
        if word in words:
            return word
        if word in also:
            return also[word]
        raise wrong(f'unknown value "{value}"; known: {", ".join(words)}{did_you_mean(value, words)}')

    return Rule(" or ".join(words), parse, {"enum": [*words, *also]})


def choices(known: Any) -> Rule:
    """The rule for a list of words of a `Literal`; see `choice`."""
    one = choice(known)

    def parse(value: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.parse(item) for item in _items(value)))

    return Rule(
        f"a list of {', '.join(get_args(known))}",
        parse,
        {"anyOf": [{"type": "array", "items": one.schema}, {"type": "string"}]},
    )


def _rate(value: Any) -> float:
    rate = _float(value)
    if rate <= 0:
        raise ValueError
    return rate


_LIST_OR_TEXT = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
_SECONDS = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}

Text = Annotated[str, Rule("text (put numbers in quotes)", _text, {"type": "string", "minLength": 1})]
Argument = Annotated[str, Rule("text or a number", _argument, {"type": ["string", "number"]})]
Bool = Annotated[bool, Rule("true or false", _bool, {"type": "boolean"})]
Whole = Annotated[int, _ints("a whole number > 0", 1)]
Count = Annotated[int, _ints("a whole number >= 0", 0)]
Nanoseconds = Annotated[int, _ints("a whole number of nanoseconds > 0", 1)]
Port = Annotated[int, _ints("a whole number from 0 to 65535 (0 picks a free port)", 0, 65535)]
HistogramSize = Annotated[int, _ints("a whole number from 2 to 16384", 2, 16384)]
HistogramScale = Annotated[int, _ints("a whole number from -10 to 20", -10, 20)]
Ratio = Annotated[float, Rule("a number from 0 to 1", _ratio, {"type": "number", "minimum": 0, "maximum": 1})]
Rate = Annotated[float, Rule("a number > 0", _rate, {"type": "number", "exclusiveMinimum": 0})]
Duration = Annotated[
    float,
    Rule(
        'a duration > 0: seconds as a number, or text such as "500ms", "5s", "1m"', parse_duration, _SECONDS
    ),
]
Names = Annotated[
    tuple[str, ...], Rule("a list of names, or names separated by commas", _names, _LIST_OR_TEXT)
]
Buckets = Annotated[
    tuple[float, ...],
    Rule(
        "a list of numbers, each above the one before",
        parse_buckets,
        {"type": "array", "items": {"type": "number"}},
    ),
]
Thresholds = Annotated[
    tuple[float, ...],
    Rule(
        'one duration > 0 or a list of them: seconds as a number, or text such as "50ms"',
        _thresholds,
        {"anyOf": [*_SECONDS["anyOf"], {"type": "array", "items": _SECONDS, "minItems": 1}]},
    ),
]
Durations = Annotated[
    tuple[float, ...],
    Rule(
        'a list of durations > 0: seconds as numbers, or text such as "500ms", "5s", "1m"',
        _durations,
        {"anyOf": [{"type": "array", "items": _SECONDS, "minItems": 1}, {"type": "string"}]},
    ),
]
Percentiles = Annotated[
    tuple[float, ...],
    Rule(
        "a list of numbers above 0 and below 100",
        _percentiles,
        {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100},
        },
    ),
]
FilePath = Annotated[Path, Rule("a path", _path, {"type": "string"})]
UrlPath = Annotated[
    str, Rule('a URL path that starts with "/"', _url_path, {"type": "string", "pattern": "^/"})
]
Host = Annotated[
    str,
    Rule("a host name or address, without a port", _host, {"type": "string", "minLength": 1}),
]
Endpoint = Annotated[
    str,
    Rule(
        'a URL such as "http://localhost:4318", or "host:port"', _endpoint, {"type": "string", "minLength": 1}
    ),
]
Secret = Annotated[SecretStr, Rule("text (a secret)", _secret, {"type": "string"}, secret=True)]
