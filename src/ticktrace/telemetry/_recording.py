"""What the application records by name or by word through the handle: its own instruments, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace.engine import BoundCounter, BoundGauge, BoundHistogram, BoundUpDownCounter
from ticktrace.trading import ErrorBlock, Failures, Unhandled

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from opentelemetry._logs import Logger

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.telemetry._named import NamedInstruments
    from ticktrace.trading import Recorder, Severity

__all__ = ["Recording"]


class Recording:
    """The part of `Telemetry` that records errors, and instruments by their names."""

    def __init__(self, recorder: Recorder, logger: Logger, named: NamedInstruments) -> None:
        self._recorder = recorder
        self._named = named
        self._failures = Failures(recorder, logger)
        self._unhandled = Unhandled(self._failures)

    def error(
        self,
        error: BaseException | str,
        *,
        component: str,
        severity: Severity = "error",
        error_type: str | None = None,
        **attributes: Any,
    ) -> bool:
        """Record an error: in counters, on the current span, and in the logs, a few of each kind a minute.

        Args:
            error: an exception, or what went wrong in words.
            component: the part of the application, one of few: feed, strategy, execution, …
            severity: debug, info, warning, error, or critical for what stops trading or puts money at risk.
            error_type: for ``error.type`` in place of the exception's class; one of few.
            attributes: what else is known, for span and log; never on metrics.

        Returns:
            False for an exception that was recorded before, which counts once.
        """
        return self._failures.record(error, component, severity, error_type=error_type, attributes=attributes)

    def errors(
        self,
        component: str,
        *,
        severity: Severity = "error",
        suppress: type[BaseException] | tuple[type[BaseException], ...] = (),
        **attributes: Any,
    ) -> ErrorBlock:
        """A block, for ``with`` and ``async with``, or a decorator, that records what leaves it; see `error`.

        Args:
            component: the part of the application.
            severity: how bad it is.
            suppress: exceptions that do not go on, once they are recorded; without it all do.
            attributes: what else is known.
        """
        return self._failures.block(component, severity, suppress, attributes)

    def declare(self, *rows: InstrumentSpec) -> None:
        """Add instruments of the application's own while telemetry runs, as a plug-in that is loaded later does.

        Those that are known beforehand belong into `setup_telemetry`, or into the settings: only there they may have
        thresholds, views of their own, and values below 0.

        Raises:
            CatalogError: something is wrong with one of them; the message lists everything, and none is added.
        """
        self._named.declare(rows)

    def counter(self, name: str, /, **labels: Any) -> BoundCounter:
        """A counter with its labels; ``add(amount)`` records. Resolve it once where it is hot.

        Args:
            name: one of the application's own or of the catalog, by any of its names. One that there is not records
                nothing, and that is said.
            labels: by bare word (``symbol="BTC/USDT"``) or key (``**{"acme.desk": "fx"}``); those that the row does not
                allow are left out, and that is said. Each has at most 200 values, and the instrument at most as many
                series as its row says; the rest is ``other``, counted in ``ticktrace.series.overflow``.
        """
        return self._named.handle(BoundCounter, name, labels)

    def up_down_counter(self, name: str, /, **labels: Any) -> BoundUpDownCounter:
        """A counter that may fall, with its labels; ``add(amount)`` records. See `counter`."""
        return self._named.handle(BoundUpDownCounter, name, labels)

    def histogram(self, name: str, /, **labels: Any) -> BoundHistogram:
        """A histogram with its labels; ``record(value)`` records. See `counter`."""
        return self._named.handle(BoundHistogram, name, labels)

    def gauge(self, name: str, /, **labels: Any) -> BoundGauge:
        """A gauge with its labels; ``set(value)`` records. See `counter`."""
        return self._named.handle(BoundGauge, name, labels)

    def catch_unhandled(
        self,
        *,
        asyncio: bool | AbstractEventLoop = False,
        excepthook: bool = True,
        threads: bool = True,
    ) -> None:
        """Record exceptions that nobody catches, until shutdown; the hooks that were there before are called after.

        At shutdown what was there before is put back, unless somebody has put another hook on top meanwhile.

        Args:
            asyncio: also what tasks and callbacks raise, in the running loop or in this one; component ``asyncio``.
            excepthook: what ends the program (`sys.excepthook`); component ``main``, critical.
            threads: what ends a thread (`threading.excepthook`); component ``thread``, critical.

        Raises:
            NoEventLoopError: `asyncio` is True and no loop runs here.
        """
        if self._recorder.enabled:
            self._unhandled.catch(asyncio=asyncio, excepthook=excepthook, threads=threads)
