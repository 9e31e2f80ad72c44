"""What is wrong with the bot and its telemetry just now, as its own instruments and the engine's accounts tell it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ticktrace import semconv
from ticktrace.engine import report, text_of
from ticktrace.notify import Alert
from ticktrace.objectives._telling import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ticktrace.engine import Engine, Totals
    from ticktrace.objectives._keeper import Objectives
    from ticktrace.settings import NotificationsSettings

__all__ = ["Troubles", "heartbeat_age"]

_LASTS_SECONDS: Final = 60.0  # so long something that happens at a moment is taken to go on
_DRAIN_SECONDS: Final = 30.0  # its passes begin ten times a second
_HIGH: Final = 0.8  # part of a queue
_LONG_PAUSE_SECONDS: Final = 0.01


def heartbeat_age(totals: Totals, wall: Callable[[], float] = time.time) -> float | None:
    """Seconds since the engine's last heartbeat, of whichever engine had the last; None where there was none."""
    beats = [series.value for series in totals.of("trading.engine.heartbeat.timestamp")]
    return max(0.0, wall() - max(beats)) if beats else None


class _Rising:
    """A number that ought to stay where it is."""

    def __init__(self) -> None:
        self._value = 0.0
        self._rose_at: float | None = None

    def is_rising(self, value: float, now: float) -> bool:
        """Whether it has risen lately."""
        if value > self._value:
            self._rose_at = now
        self._value = value
        return self._rose_at is not None and now - self._rose_at < _LASTS_SECONDS


class Troubles:
    """Looks for what ``notifications.on`` names. One thread at a time.

    Args:
        settings: which states are errors, and how long an engine may be silent.
        engine: whose accounts are looked at.
        totals: of its instruments.
        objectives: how they stand.
        losses: what telemetry has lost, in words.
        now: the monotonic clock, in seconds.
        wall: the time of day, in seconds since 1970.
    """

    def __init__(
        self,
        settings: NotificationsSettings,
        engine: Engine,
        totals: Totals,
        objectives: Objectives,
        losses: Callable[[], Sequence[str]],
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._totals = totals
        self._objectives = objectives
        self._losses = losses
        self._now = now
        self._wall = wall
        self._pauses = _Rising()
        self._errors = _Rising()
        self._lost: tuple[str, ...] = ()
        self._lost_at: float | None = None
        self._finders: dict[str, Callable[[], Iterable[Alert]]] = {
            "slo_violated": self._slo_violated,
            "engine_error": self._engine_error,
            "engine_silent": self._engine_silent,
            "drain_dead": self._drain_dead,
            "queue_backlog": self._queue_backlog,
            "telemetry_lost": self._telemetry_lost,
            "gc_pause": self._gc_pause,
            "critical_error": self._critical_error,
        }

    def find(self) -> list[Alert]:
        """What is wrong now, of what is asked for. Never raises."""
        found: list[Alert] = []
        for condition in self._settings.on:
            finder = self._finders.get(condition)
            if finder is None:
                continue
            try:
                found += finder()
            except Exception as error:  # noqa: BLE001  the barrier
                report(f"notify.{condition}", error)
        return found

    def _slo_violated(self) -> Iterator[Alert]:
        for name, judgement in self._objectives.last().items():
            if judgement.violated:
                urgent = "fast_burn" in judgement.conditions
                yield Alert(
                    f"slo_violated/{name}",
                    "slo_violated",
                    f"Objective {name} is violated",
                    words_of(judgement),
                    "critical" if urgent else "warning",
                )

    def _engine_error(self) -> Iterator[Alert]:
        wrong = {state.casefold() for state in self._settings.error_states}
        for series in self._totals.of("trading.engine.state"):
            state = text_of(series.attributes.get(semconv.ENGINE_STATE, ""))
            if series.value == 1 and state.casefold() in wrong:
                yield Alert(
                    f"engine_error/{state}",
                    "engine_error",
                    f"The engine is in the state {state}",
                    "It does not trade as it should.",
                    "critical",
                )

    def _engine_silent(self) -> Iterator[Alert]:
        age = heartbeat_age(self._totals, self._wall)
        if age is not None and age > self._settings.engine_silent_after:
            yield Alert(
                "engine_silent",
                "engine_silent",
                "The engine is silent",
                f"Its last heartbeat was {age:.0f} s ago.",
                "critical",
            )

    def _drain_dead(self) -> Iterator[Alert]:
        silent = self._engine.drain_silent_for()
        if silent > _DRAIN_SECONDS:
            yield Alert(
                "drain_dead",
                "drain_dead",
                "Telemetry is not drained",
                f"The drain's thread has not ended a pass for {silent:.0f} s: traces and the journal stand still.",
                "critical",
            )

    def _queue_backlog(self) -> Iterator[Alert]:
        for account in self._engine.deliveries:
            if account.room and account.waiting >= _HIGH * account.room:
                name = f"{account.signal}.{account.name}"
                yield Alert(
                    f"queue_backlog/{name}",
                    "queue_backlog",
                    f"The queue {name} is filling up",
                    f"{account.waiting} of {account.room} places are taken: what it is sent to does not keep up.",
                )

    def _telemetry_lost(self) -> Iterator[Alert]:
        now, losses = self._now(), tuple(self._losses())
        if losses != self._lost:
            self._lost, self._lost_at = losses, now
        if losses and self._lost_at is not None and now - self._lost_at < _LASTS_SECONDS:
            yield Alert("telemetry_lost", "telemetry_lost", "Telemetry is being lost", "; ".join(losses))

    def _gc_pause(self) -> Iterator[Alert]:
        long = 0
        for series in self._totals.of("python.gc.pause.duration"):
            within = sum(bound <= _LONG_PAUSE_SECONDS for bound in series.bounds)
            long += sum(series.counts[within:])
        if self._pauses.is_rising(long, self._now()):
            yield Alert(
                "gc_pause",
                "gc_pause",
                "Garbage collections stop the process for long",
                f"{long} took longer than {_LONG_PAUSE_SECONDS * 1e3:.0f} ms since the start.",
            )

    def _critical_error(self) -> Iterator[Alert]:
        count = sum(series.value for series in self._totals.of("trading.critical_errors"))
        if self._errors.is_rising(count, self._now()):
            yield Alert(
                "critical_error",
                "critical_error",
                "Critical errors",
                f"{count:.0f} errors that stop trading or put money at risk since the start.",
                "critical",
            )
