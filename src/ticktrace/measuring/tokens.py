"""Durations that no block surrounds: begun in one place, ended in another, known to each other by a number."""

from __future__ import annotations

import os
from collections import OrderedDict
from itertools import count
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from ticktrace.engine import report
from ticktrace.measuring._sites import current_target, duration_of

if TYPE_CHECKING:
    from ticktrace.measuring._sites import Duration

__all__ = ["record_end", "record_start"]

_MOST_OPEN: Final = 10_000

_next_token = count(1).__next__
_open: OrderedDict[int, tuple[Duration, int]] = OrderedDict()


def record_start(name: str, /, **attributes: Any) -> int:
    """Something begins; `record_end` records how long it took. Never raises.

    At most 10,000 may be open at once: beyond that the oldest is forgotten, and counted in ``ticktrace.dropped``, buffer
    ``measure``, reason ``full``.

    Args:
        name: see `ticktrace.measure`.
        attributes: see `ticktrace.measure`.

    Returns:
        A token, to be given to `record_end`, once, from any task or thread.
    """
    token = _next_token()
    try:
        _open[token] = duration_of(name, attributes), perf_counter_ns()
        if len(_open) > _MOST_OPEN:
            _open.popitem(last=False)
            _dropped("full")
    except Exception as error:  # noqa: BLE001  the barrier
        report("measure.start", error)
    return token


def record_end(token: int, error: BaseException | None = None) -> float | None:
    """What began with `record_start` has ended. Never raises.

    Args:
        token: what `record_start` returned.
        error: the exception that ended it, for ``error.type``.

    Returns:
        Seconds since its start; None for a token that is unknown, was ended before or was forgotten, which is counted in
        ``ticktrace.dropped``, buffer ``measure``, reason ``unknown_token``.
    """
    ended = perf_counter_ns()
    try:
        opened = _open.pop(token, None)
        if opened is None:
            _dropped("unknown_token")
            return None
        site, started = opened
        seconds = (ended - started) * 1e-9
        if error is None:
            site.write(seconds)
        else:
            site.failed(seconds, error)
    except Exception as fault:  # noqa: BLE001  the barrier; a token may be any object
        report("measure.end", fault)
        return None
    return seconds


def _dropped(reason: str) -> None:
    target = current_target()
    if target is not None:
        target.dropped(reason)


def _after_fork_in_child() -> None:
    _open.clear()  # what the parent began is the parent's to end


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
