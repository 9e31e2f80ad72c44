"""What a handle tells of its process and host, and what stops its threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace.engine import Interruptions
from ticktrace.runtime import HostLock, instrument_system, lock_path, watch_garbage, watch_host, watch_loop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ticktrace.engine import Engine, Instruments
    from ticktrace.settings import Settings
    from ticktrace.trading import Recorder

__all__ = ["Process"]


class Process:
    """A handle's view of its process.

    Args:
        settings: all of them.
        instruments: records it.
        recorder: of the trading room, which says on its spans what has stopped them.
        undo_at_shutdown: takes what ends something.
    """

    def __init__(
        self,
        settings: Settings,
        instruments: Instruments,
        recorder: Recorder,
        undo_at_shutdown: Callable[[Callable[[], None]], None],
    ) -> None:
        self._wanted = settings.process.system_metrics
        self._instruments = instruments
        self._recorder = recorder
        self._undo_at_shutdown = undo_at_shutdown
        self._host = HostLock(_path(settings))

    def attach(self, engine: Engine) -> None:
        """An engine has started.

        Raises:
            MissingExtraError: the settings want what needs a package that is not installed.
        """
        if self._wanted:
            instrument_system(engine.meter_provider, self._host.mine)

    def detach(self) -> None:
        """The engine has told its last."""
        self._host.release()

    def watch(self, *, garbage: bool, disks: Sequence[str]) -> None:
        """See `Telemetry.watch_process`."""
        if garbage:
            self._undo_at_shutdown(watch_garbage(self._instruments, self._interruptions()))
        self._undo_at_shutdown(watch_host(self._instruments, disks, self._host.mine))

    def watch_loop(self, loop: AbstractEventLoop, period: float, slow: float) -> None:
        """See `Telemetry.watch_event_loop`."""
        self._undo_at_shutdown(watch_loop(self._instruments, loop, period, slow, self._interruptions()))

    def _interruptions(self) -> Interruptions:
        found = self._recorder.interruptions
        if found is None:
            found = self._recorder.interruptions = Interruptions()
        return found


def _path(settings: Settings) -> Path | None:
    if not settings.process.host_once:
        return None
    service = settings.service
    return settings.process.host_lock or lock_path(
        (service.namespace or "", service.name, service.environment or "")
    )
