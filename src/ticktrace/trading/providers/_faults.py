"""What an exception of a provider's client means, told from its class's name and its attributes.

No client is imported: ccxt, aiohttp, httpx, requests, urllib and the venues' own clients name things alike. ccxt's
hierarchy has ``NetworkError`` for what may pass and ``ExchangeError`` for what the venue decided.
"""

from __future__ import annotations

import math
import re
from asyncio import CancelledError
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fault", "fault_of", "headers_of", "response_status", "retry_after", "used_ratio"]

_TOO_MANY = frozenset({418, 429})  # 418 is how Binance bans who did not heed 429
_FIRST_ERROR = 400
_FIRST_SERVER_ERROR = 500

_RATE_LIMITED = ("ratelimit", "ddosprotection", "toomanyrequests", "throttl")
# Whole names before parts of names, classes before their bases: ccxt's InvalidNonce is a NetworkError, and an answer.
_ANSWERED = frozenset({"invalidnonce", "exchangeerror", "operationrejected", "clientresponseerror"})
_UNANSWERED = (
    *(
        "networkerror",
        "requesttimeout",
        "exchangenotavailable",
        "onmaintenance",
        "badresponse",
        "nullresponse",
    ),
    *("timeout", "timedout", "connect", "disconnected", "unavailable", "unreachable", "sslerror"),
)


class Fault(NamedTuple):
    """What went wrong with a call.

    Attributes:
        kind: for ``error.type``: the HTTP status where the exception is about one, else its class.
        status: the HTTP status, where there is one.
        rate_limited: whether the provider refused it because there were too many.
        answered: whether the provider gave an answer at all; None where that cannot be told.
        retry_after: how long to leave the provider alone, seconds; None where it did not say.
    """

    kind: str
    status: int | None
    rate_limited: bool
    answered: bool | None
    retry_after: float | None


def fault_of(error: BaseException, is_rate_limit: Callable[[Any], object] | None = None) -> Fault:
    """What an exception means.

    Args:
        error: what the client raised.
        is_rate_limit: the application's own opinion on whether it is about too many calls.
    """
    status = _status(error)
    names = [kind.__name__.lower().replace("_", "") for kind in type(error).__mro__]
    limited = (
        status in _TOO_MANY
        or any(part in name for name in names for part in _RATE_LIMITED)
        or (is_rate_limit is not None and _opinion(is_rate_limit, error))
    )
    kind = str(status) if status is not None and status >= _FIRST_ERROR else type(error).__qualname__
    answered = True if limited else _answered(error, status, names)
    return Fault(kind, status, limited, answered, retry_after(error))


def _opinion(is_rate_limit: Callable[[Any], object], error: BaseException) -> bool:
    try:
        return bool(is_rate_limit(error))
    except Exception as fault:  # noqa: BLE001  a function of the application's
        report("is_rate_limit", fault)
        return False


def _answered(error: BaseException, status: int | None, names: list[str]) -> bool | None:
    if status is not None:
        return status < _FIRST_SERVER_ERROR
    if isinstance(error, CancelledError):
        return None
    for name in names:
        if name in _ANSWERED:
            return True
        if any(part in name for part in _UNANSWERED):
            return False
    return False if isinstance(error, OSError) else None


def _attribute(holder: object, name: str) -> Any:
    try:
        return getattr(holder, name, None)
    except Exception:  # noqa: BLE001  httpx raises for an error that has no response
        return None


def _status(holder: object) -> int | None:
    for source in (holder, _attribute(holder, "response")):
        for name in ("status_code", "status", "http_status", "code"):
            status = _as_status(_attribute(source, name))
            if status is not None:
                return status
    return None


def _as_status(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[1-5]\d\d", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:  # noqa: PLR2004  HTTP's range
        return int(value)
    return None


def response_status(result: object) -> int | None:
    """The HTTP status of what a client returned, when that is a response; None for everything else."""
    if not hasattr(result, "headers"):
        return None
    return _as_status(_attribute(result, "status_code")) or _as_status(_attribute(result, "status"))


def headers_of(holder: object, name: str = "headers") -> Mapping[str, Any] | None:
    """The headers of a response, of the response that an exception carries, or that a client keeps under `name`."""
    for source in (holder, _attribute(holder, "response")):
        headers = _attribute(source, name)
        if isinstance(headers, (Mapping, Message)):
            return cast("Mapping[str, Any]", headers)
    return None


def _header(headers: Mapping[str, Any], name: str) -> Any:
    value = headers.get(name)
    if value is None and isinstance(
        headers, dict
    ):  # what most clients give does not care for case; this does
        value = next((found for key, found in headers.items() if str(key).lower() == name), None)
    return value


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is: this is how one finds out
    except Exception:  # noqa: BLE001  a __float__ may raise anything
        return None
    return number if math.isfinite(number) else None


def retry_after(holder: object) -> float | None:
    """How long to leave the provider alone, seconds (RFC 9110, "Retry-After": seconds or a date), or None."""
    value = _attribute(holder, "retry_after")
    if value is None:
        headers = headers_of(holder)
        value = None if headers is None else _header(headers, "retry-after")
    seconds = _number(value)
    if seconds is None and isinstance(value, str):
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
    return None if seconds is None else max(0.0, seconds)


# Limit, what is left of it.
_LEFT: Final = (
    ("x-ratelimit-limit", "x-ratelimit-remaining"),
    ("ratelimit-limit", "ratelimit-remaining"),
    ("x-bapi-limit", "x-bapi-limit-status"),
)
# What is used of a limit that only the documentation tells.
_USED: Final = ("x-mbx-used-weight-1m", "x-mbx-used-weight")


def used_ratio(headers: Mapping[str, Any], limit: float | None) -> float | None:
    """Part of the rate limit that is used up, 0 to 1, from a response's headers; None where they do not say.

    Args:
        headers: of a response; the names of Binance, Bybit and the common ``X-RateLimit-*`` are known.
        limit: what the provider allows in a window, where its headers tell only what is used.
    """
    for name, left in _LEFT:
        most, remaining = _number(_header(headers, name)), _number(_header(headers, left))
        if most and remaining is not None:
            return min(1.0, max(0.0, 1.0 - remaining / most))
    if limit:
        for name in _USED:
            used = _number(_header(headers, name))
            if used is not None:
                return min(1.0, max(0.0, used / limit))
    return None
