"""The thread that looks after objectives and notifications, and what it has to start and to end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ticktrace import semconv
from ticktrace.engine import Deadline, KeepingReader, Totals, attempt, keeps_totals
from ticktrace.notify import DeadMan, Notifier, Sender, open_channels
from ticktrace.objectives._keeper import Objectives
from ticktrace.objectives._troubles import Troubles, heartbeat_age

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricReader

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import Engine, Instruments, NamedTarget
    from ticktrace.settings import Settings

__all__ = ["Watch", "with_totals"]

_SENDING_SHARE: Final = 0.5  # of a shutdown's deadline for messages that wait


class _Keeping(NamedTuple):
    name: str
    target: MetricReader
    destination: str


def with_totals(settings: Settings, readers: Sequence[NamedTarget[MetricReader]]) -> list[Any]:
    """The readers, with one more where totals are wanted and none of these keeps them.

    It is never read from by anybody else. Delta exporters begin anew at each export, and without exporters nothing is kept.
    """
    made = list(readers)
    if Watch.is_wanted(settings) and not any(keeps_totals(reader.target) for reader in made):
        made.append(_Keeping("totals", KeepingReader(), "this process"))
    return made


class Watch:
    """Objectives and notifications of one handle.

    Args:
        settings: the groups ``slo`` and ``notifications``.
        catalog: the instruments.

    Attributes:
        objectives: how they stand.
        notifications: who is told of what.
    """

    def __init__(self, settings: Settings, catalog: Mapping[str, InstrumentSpec]) -> None:
        self._settings = settings
        self.objectives: Objectives = Objectives(settings.slo, catalog)
        self.notifications: Notifier = Notifier(settings.notifications, settings.service.name)
        self._sender: Sender | None = None
        self._dead_man: DeadMan | None = None
        self._troubles: Troubles | None = None
        self._totals: Totals | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @staticmethod
    def is_wanted(settings: Settings) -> bool:
        """Whether the settings ask for anything that has to be watched."""
        told = settings.notifications
        dead_man = told.dead_man.url is not None
        return bool(settings.slo.objectives) or (told.enabled and (bool(told.urls) or dead_man))

    def attach(self, engine: Engine, instruments: Instruments, losses: Callable[[], Sequence[str]]) -> None:
        """Watch an engine from now on; also in a forked child, which begins from nothing.

        Raises:
            MissingExtraError: there are URLs, and apprise is not installed.
            SettingsError: apprise does not understand one of them.
        """
        settings = self._settings.notifications
        self._totals = totals = Totals(engine.meter_provider)
        self.objectives.attach(engine, instruments, totals)
        self._sender = self._dead_man = self._troubles = self._thread = None
        self._ended = threading.Event()
        self.notifications.attach(None)
        if not self.is_wanted(self._settings):
            return
        if settings.enabled and settings.urls:
            self._sender = Sender(
                open_channels(settings.urls, settings.timeout),
                room=settings.queue_size,
                attempts=settings.attempts,
                on_sent=_counting(instruments),
            )
            self._troubles = Troubles(settings, engine, totals, self.objectives, losses)
            self.notifications.attach(self._sender.offer)
        if settings.enabled and settings.dead_man.url is not None:
            count = _counting(instruments)
            self._dead_man = DeadMan(
                settings.dead_man.url,
                interval=settings.dead_man.interval,
                timeout=settings.timeout,
                alive=self._is_alive,
                on_asked=lambda answered: count("dead-man", answered),
            )
        self._thread = threading.Thread(target=self._run, name="ticktrace-watch", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Judge the objectives, look for troubles, and have them told. Never raises."""
        self.objectives.look()
        troubles, totals = self._troubles, self._totals
        if troubles is None or totals is None:
            return
        if not self._settings.slo.objectives:  # else they have had it brought in
            attempt("watch.settle", totals.settle)
        self.notifications.update(troubles.find())

    def stop(self, seconds: float) -> bool:
        """Look a last time, send what waits, and end; True when all was sent within half of the `seconds`."""
        deadline = Deadline(seconds * _SENDING_SHARE)
        self._ended.set()
        if self._dead_man is not None:
            self._dead_man.stop()
        thread, self._thread = self._thread, None
        sent = True
        if thread is not None:
            if thread is not threading.current_thread():
                thread.join(deadline.remaining())
            if not thread.is_alive():
                self.look()
        if self._sender is not None:
            sent = self._sender.stop(deadline.remaining())
            self.notifications.attach(None)
        self.objectives.detach()
        return sent

    def _run(self) -> None:
        while not self._ended.wait(self._settings.slo.interval):
            self.look()

    def _is_alive(self) -> bool:
        totals = self._totals
        if totals is None:
            return False
        totals.settle()
        age = heartbeat_age(totals)
        return age is not None and age <= self._settings.notifications.dead_man.stale_after


def _counting(instruments: Instruments) -> Callable[[str, bool], None]:
    def count(channel: str, sent: bool) -> None:
        labels = {
            semconv.NOTIFICATION_CHANNEL: channel,
            semconv.NOTIFICATION_RESULT: "sent" if sent else "failed",
        }
        instruments.counter("ticktrace.notifications", labels).add(1)

    return count
