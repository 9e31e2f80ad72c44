"""The barrier between telemetry and trading: what goes wrong in here is counted and said, never raised.

Python makes an untaken ``try`` free, so the hot paths call `report` from their own ``except`` instead of
paying for a decorator's extra frame; cold paths use `contained`.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["attempt", "contained", "internal_errors", "report", "text_of", "warn_once"]

_log = logging.getLogger("ticktrace")

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")

_QUIET_SECONDS = 60.0  # one line a place and minute: a fault in a loop must not flood the bot's log
_MAX_PLACES = 1_000

_lock = threading.Lock()
_last_said: dict[str, float] = {}
_errors = 0


def internal_errors() -> int:
    """How many exceptions of ours were contained since the process started."""
    return _errors


def _may_say(place: str) -> bool:
    now = time.monotonic()
    with _lock:
        last = _last_said.get(place)
        if last is not None and now - last < _QUIET_SECONDS:
            return False
        if last is None and len(_last_said) >= _MAX_PLACES:
            _last_said.clear()
        _last_said[place] = now
        return True


def text_of(value: object) -> str:
    """What a value says of itself; the name of its class where it cannot even say that."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  a __str__ of somebody else's
        return type(value).__name__


def report(place: str, error: BaseException) -> None:
    """Count a contained exception and log it with its stack, at most once a minute for each place.

    Args:
        place: where it happened, a constant such as ``"candle.end"``.
        error: what was caught.
    """
    global _errors  # noqa: PLW0603  a process-wide tally; losing one of two racing counts is acceptable
    _errors += 1
    try:
        if _may_say(place):
            _log.error("ticktrace: contained an internal error in %s", place, exc_info=error)
    except Exception:  # noqa: BLE001, S110  even the logging of a fault must not reach the trading thread
        pass


def warn_once(place: str, message: str, *args: object) -> None:
    """Log a warning about wrong use, at most once a minute for each place."""
    try:
        if _may_say(place):
            _log.warning(message, *args)
    except Exception:  # noqa: BLE001, S110  see report
        pass


def attempt(place: str, call: Callable[[], object]) -> bool:
    """Call, and report what it raises under `place`; True when it raised nothing."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  the barrier is the one place that may catch all
        report(place, error)
        return False
    return True


def contained(default: D) -> Callable[[Callable[P, R]], Callable[P, R | D]]:
    """Decorate a cold method so that its exceptions are reported and `default` is returned instead."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | D]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R | D:
            try:
                return function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  the barrier is the one place that may catch all
                report(function.__qualname__, error)
                return default

        return call

    return decorate


def _forget_after_fork() -> None:
    """A child must not wait for a lock that a thread of its parent held."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
