"""The handle that `setup_telemetry` returns."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import propagate

from ticktrace import measuring
from ticktrace._version import __version__
from ticktrace.catalog import CATALOG, with_own
from ticktrace.engine import Deadline, Instruments, Switchboard, Totals, attempt, report
from ticktrace.objectives import Watch
from ticktrace.semconv import SCHEMA_URL
from ticktrace.telemetry._named import NamedInstruments
from ticktrace.telemetry._process import Process
from ticktrace.telemetry._recording import Recording
from ticktrace.telemetry._resources import Resources
from ticktrace.trading import Diagnostics, Recorder, Trading

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from fastapi import FastAPI
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import TracerProvider

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import Recent, SeriesTotal
    from ticktrace.exporters import Exposition, MemoryStore
    from ticktrace.measuring import Stats
    from ticktrace.notify import Notifier
    from ticktrace.objectives import Objectives
    from ticktrace.runtime import ResourceMonitor, SnapshotTaken
    from ticktrace.settings import LoadedSettings, Settings
    from ticktrace.telemetry._pipeline import Pipeline

__all__ = ["Telemetry"]

_log = logging.getLogger("ticktrace")

# One switchboard a process stands behind the globals: the OTel API takes its global providers once.
SWITCHBOARD = Switchboard()


class Telemetry(Recording):
    """A bot's telemetry, from `setup_telemetry` to `shutdown`. Also a context manager that shuts down at its end.

    Attributes:
        loaded: the settings in force and where each came from.
        catalog: every instrument by its name, the application's own included.
        trading: trading in OpenTelemetry's terms: markets, candles, signals, orders, engine.
        diagnostics: decisions with their reasons: what explains that there was no trade.
        objectives: what the settings promise of the bot, and how that stands.
        notifications: who is told when something is wrong.
        statistics: what was recorded lately, with exact percentiles; `stats` is its short form.
        enabled: False when settings turned telemetry off, and after shutdown.
    """

    def __init__(
        self,
        loaded: LoadedSettings,
        pipeline: Pipeline | None,
        *,
        on_shutdown: Callable[[Telemetry], None],
        board: Switchboard = SWITCHBOARD,
    ) -> None:
        self.loaded: LoadedSettings = loaded
        self._pipeline = pipeline
        self._on_shutdown = on_shutdown
        self._lock = (
            threading.RLock()
        )  # reentrant: a signal handler may shut down what its thread is shutting down
        self._ending = False
        self._outcome: bool | None = None
        self.catalog: dict[str, InstrumentSpec] = with_own(loaded.settings.metrics.instruments, CATALOG)[0]
        self._instruments = Instruments(self.catalog)
        self._board = board
        self._previous_textmap: TextMapPropagator | None = None
        self._undo: list[Callable[[], None]] = []
        self._resources = Resources(loaded.settings, self.undo_at_shutdown)
        self._recorder = Recorder(
            self._board.tracers.get_tracer("ticktrace.trading", __version__),
            self._instruments,
            loaded.settings,
            enabled=pipeline is not None,
        )
        self._process = Process(loaded.settings, self._instruments, self._recorder, self.undo_at_shutdown)
        self.trading: Trading = Trading(self._recorder, self._instruments)
        self.diagnostics: Diagnostics = Diagnostics(self._recorder, self._settle)
        self.statistics: measuring.Statistics = measuring.Statistics(
            self._recent, self._settle, loaded.settings.metrics.recent
        )
        self._watch = Watch(loaded.settings, self.catalog)
        self.objectives: Objectives = self._watch.objectives
        self.notifications: Notifier = self._watch.notifications
        super().__init__(
            self._recorder,
            board.loggers.get_logger("ticktrace.trading", __version__, SCHEMA_URL),
            NamedInstruments(self.catalog, self._recorder, self._instruments, self.statistics),
        )
        if pipeline is not None:
            self._attach(pipeline)
            if board is SWITCHBOARD:  # else the globals are somebody else's
                self._previous_textmap = propagate.get_global_textmap()
                propagate.set_global_textmap(pipeline.propagator)

    def _attach(self, pipeline: Pipeline) -> None:
        engine = pipeline.engine
        self._board.switch(engine.tracer_provider, engine.meter_provider, engine.logger_provider)
        self._instruments.attach(engine.meter_provider, "ticktrace.trading", __version__)
        self._recorder.attached(engine)
        self._process.attach(engine)
        self._recorder.journal = pipeline.journal
        pipeline.describe(self._instruments, self.settings)
        measuring.attach(self._recorder, self._instruments, self.statistics)
        self._watch.attach(pipeline.engine, self._instruments, pipeline.losses)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    @property
    def enabled(self) -> bool:
        """Whether telemetry is recorded now."""
        return self._recorder.enabled

    @property
    def tracer_provider(self) -> TracerProvider:
        """The tracer provider; what it hands out stays valid over forks and later set-ups."""
        return self._board.tracers

    @property
    def meter_provider(self) -> MeterProvider:
        """The meter provider; what it hands out stays valid over forks and later set-ups."""
        return self._board.meters

    @property
    def logger_provider(self) -> LoggerProvider:
        """The logger provider; what it hands out stays valid over forks and later set-ups."""
        return self._board.loggers

    @property
    def memory(self) -> MemoryStore:
        """What the exporter ``memory`` holds; empty where no signal leaves through it."""
        from ticktrace.exporters import MemoryStore  # noqa: PLC0415  not needed where telemetry is off

        return self._pipeline.memory if self._pipeline is not None else MemoryStore()

    def stats(self, name: str, /, *, window: float | None = None, **attributes: Any) -> Stats:
        """What a histogram's values were like lately: count, mean, extremes and exact percentiles.

        Args:
            name: of the instrument, or what was given to `ticktrace.measure`.
            window: only the last so many seconds; all values that are kept by default.
            attributes: only series with these, by bare word (``symbol="BTC/USDT"``) or key.

        Returns:
            Figures over all these series; `Telemetry.statistics` gives them by series and for several windows.
        """
        return self.statistics.of(name, window=window, **attributes)

    def _recent(self) -> Recent | None:
        return None if self._pipeline is None else self._pipeline.engine.recent

    def _settle(self) -> None:
        if self._pipeline is not None:
            self._pipeline.engine.settle()

    def totals(self) -> dict[str, list[SeriesTotal]]:
        """What every series has come to: sums of counters, last values of gauges, counts of histograms.

        Empty where no reader keeps totals: without an exporter of metrics, or with delta temporality alone. Not for the hot
        path.

        Raises:
            TimeoutError: a series is locked for long.
        """
        pipeline = self._pipeline
        if pipeline is None or not self.enabled:
            return {}
        self._instruments.refresh()
        totals = Totals(pipeline.engine.meter_provider)
        totals.settle()
        return totals.every()

    def losses(self) -> list[str]:
        """What telemetry has lost so far, a line for each place where it was."""
        return [] if self._pipeline is None else self._pipeline.losses()

    def exposition(self, accept: str | None = None) -> Exposition | None:
        """All metrics in a Prometheus format.

        Args:
            accept: the request's Accept header; OpenMetrics is sent to those who ask for it.

        Returns:
            Body and content type; None when metrics do not leave through the exporter ``prometheus``.

        Raises:
            TimeoutError: collecting took too long, as an observable instrument's callback that blocks makes it.
        """
        reader = self._pipeline.prometheus if self._pipeline is not None else None
        return None if reader is None else reader.exposition(accept)

    def instrument_fastapi(self, app: FastAPI, **options: Any) -> None:
        """Give a FastAPI app HTTP spans and metrics, ``/metrics``, and a flush at its shutdown.

        Args:
            app: the app, before it has started; routes may be added before or after.
            options: see `ticktrace.web.instrument_fastapi`.

        Raises:
            MissingExtraError: FastAPI or its instrumentation is not installed.
        """
        from ticktrace.web import instrument_fastapi  # noqa: PLC0415  an optional dependency

        instrument_fastapi(app, self, **options)
        if self._pipeline is not None and options.get("metrics_path", "/metrics") is not None:
            self._pipeline.served_elsewhere(self.settings)

    def flush(self, timeout: float | None = None) -> bool:
        """Send everything that is queued.

        Args:
            timeout: seconds; the shutdown timeout of the settings by default, and in place of what is no number.

        Returns:
            True when all of it was accepted in time.
        """
        pipeline = self._pipeline
        if pipeline is None or self._outcome is not None:
            return True
        try:
            return pipeline.engine.flush(self._deadline(timeout).remaining())
        except Exception as error:  # noqa: BLE001  the barrier
            report("flush", error)
            return False

    def shutdown(self, timeout: float | None = None) -> bool:
        """Send what is left, within one deadline for everything, and turn telemetry off.

        What the application still holds (markets, tracers, instruments) stays valid and does nothing; a later
        `setup_telemetry` puts it to work again, except for `trading`, which belongs to this handle.

        Args:
            timeout: seconds; the settings' by default (5 s), and in place of what is no number.

        Returns:
            True when that ended in time and nothing was lost. Every later call returns the same.
        """
        with self._lock:
            if self._outcome is None and not self._ending:
                self._ending = True
                outcome = False
                try:
                    outcome = self._shut_down(self._deadline(timeout))
                except Exception as error:  # noqa: BLE001  the barrier
                    report("shutdown", error)
                finally:
                    self._outcome = outcome
                    self._on_shutdown(self)
            return self._outcome is True

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline(timeout, default=self.settings.shutdown.timeout)

    def _shut_down(self, deadline: Deadline) -> bool:
        self._undo_all()
        attempt("shutdown", self._failures.close)
        pipeline = self._pipeline
        if pipeline is None:
            return True
        attempt("shutdown", lambda: self._watch.stop(deadline.remaining()))
        self.diagnostics.enabled = False
        self._recorder.detached()
        try:
            good = pipeline.shutdown(deadline)
        finally:
            self._detach()
        losses = pipeline.losses()
        if losses:
            _log.warning("ticktrace: telemetry was lost: %s", "; ".join(losses))
        return good

    def _undo_all(self) -> None:
        attempt("shutdown", self._unhandled.undo)
        for undo in reversed(self._undo):
            attempt("shutdown", undo)

    def _detach(self) -> None:
        attempt("shutdown", self._board.switch_off)
        attempt("shutdown", self._instruments.detach)
        attempt("shutdown", self._process.detach)
        attempt("shutdown", measuring.detach)
        previous = self._previous_textmap
        if previous is not None:
            attempt("shutdown", lambda: propagate.set_global_textmap(previous))

    def restart_in_child(self, build: Callable[[LoadedSettings], Pipeline]) -> Pipeline | None:
        """Start afresh in a forked child: the parent's telemetry is the parent's to send.

        Where the parent was shutting down, or a pipeline cannot be built here, telemetry is over for the child.

        Args:
            build: makes the child's pipeline.

        Returns:
            The parent's pipeline, to be silenced.
        """
        self._lock = threading.RLock()  # the old one may be held by a thread that does not exist here
        abandoned, self._pipeline = self._pipeline, None
        if abandoned is None:
            return None
        try:
            if not self._ending:
                self._pipeline = build(self.loaded)
                self.trading.start_afresh()
                self._failures.start_afresh()
                self._named.start_afresh()
                self._resources.start_afresh()
                self._attach(self._pipeline)
                _log.info("ticktrace: process %d was forked and records its own telemetry", os.getpid())
        except Exception as error:  # noqa: BLE001  a fork must succeed, with or without telemetry
            report("fork", error)
            if self._pipeline is not None:
                self._pipeline.shutdown(Deadline(1.0))
                self._pipeline = None
        if self._pipeline is None:
            self._ending = self._outcome = True
            self._recorder.detached()
            self._undo_all()
            self._detach()
            self._on_shutdown(self)
        return abandoned

    def watch_process(self, *, garbage: bool = True, disks: Sequence[str] = ("/",)) -> None:
        """Record how long garbage collections stop the process, how long the host is up, and the space on disks.

        ``python.gc.pause.duration``, ``system.uptime``, ``system.filesystem.usage`` and ``.utilization``, until the
        shutdown. A collection that took over 10 ms is a warning, and spans say which stopped them. What is the host's is
        told by one process of several (``process.host_once``); CPU, memory and network are with ``process.system_metrics``.

        Args:
            garbage: time garbage collections.
            disks: mount points whose space is told; local ones, since a disk that does not answer holds up the export.
        """
        if self.enabled:
            self._process.watch(garbage=garbage, disks=disks)

    def watch_event_loop(
        self, loop: AbstractEventLoop | None = None, *, period: float = 0.1, slow: float = 0.05
    ) -> None:
        """Record how late an event loop runs what is due (``python.event_loop.lag``), until the shutdown.

        Callbacks that block it are a warning by their name, and spans say which stopped them.

        Args:
            loop: asyncio's, uvloop's or any other; the running one by default.
            period: seconds between two measurements.
            slow: seconds that a callback may block the loop. One that takes twice as long is always seen, and some of
                those in between; what is told of its length is up to `slow` too short. 0 for not looking.

        Raises:
            RuntimeError: no loop was given, and none is running here.
        """
        found = asyncio.get_running_loop() if loop is None else loop
        if self.enabled:
            self._process.watch_loop(found, period, slow)

    def watch_resources(self) -> ResourceMonitor:
        """Observe what the process takes of CPU, memory, disk, threads and files, until the shutdown.

        What is observed, which limits there are and what is done when one is exceeded stands in the settings
        (``resources``); by default nothing is done. Called again, it returns the same monitor.

        Returns:
            The monitor: current figures, history, trend, health; caches and actions are registered with it.
        """
        return self._resources.watch(enabled=self.enabled)

    def memory_snapshot(self, *, referrers: str | None = None) -> Future[SnapshotTaken]:
        """Write down which objects there are: ``memory_snapshot_<date>_<time>.json`` in ``resources.snapshots.directory``.

        It is taken in slices on a thread of its own. One part cannot be sliced: the interpreter lists its objects in one
        call, which stops all threads for 5 to 60 ms with 700,000 of them.

        Args:
            referrers: name of a type, for which is written down what keeps its objects alive.

        Returns:
            A future. Its result says where the file is, or why there is none: a full disk raises nothing.
        """
        return self._resources.snapshot("api", referrers, enabled=self.enabled)

    def undo_at_shutdown(self, undo: Callable[[], None]) -> None:
        """Call `undo` when this handle shuts down."""
        self._undo.append(undo)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()
