"""The global providers, set once, behind which engines can be exchanged.

The OTel API refuses a second global provider, and libraries keep the tracers and instruments they once got. So the
API's globals are set to these switches, and everything that was handed out follows when an engine is attached, after
a fork, or detached at shutdown. What is switched are *bound methods kept as instance attributes*: an instrument
behind a switch costs exactly what the engine's own instrument costs.
"""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider, Tracer, TracerProvider

from ticktrace.engine.aim import aim
from ticktrace.engine.meter_switch import MeterSwitch

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import Logger, LoggerProvider

__all__ = ["LoggerSwitch", "MeterSwitch", "Switchboard", "TracerSwitch"]


class _SwitchedTracer(Tracer):
    def __init__(self, *scope: Any) -> None:
        self._scope = scope

    def point_at(self, provider: TracerProvider) -> None:
        real = provider.get_tracer(*self._scope)
        self.__dict__["start_span"] = real.start_span
        self.__dict__["start_as_current_span"] = real.start_as_current_span
        self.__dict__["_real"] = real

    def start_span(self, *args: Any, **kwargs: Any) -> Any:  # pragma: no cover  shadowed by point_at
        return self.__dict__["_real"].start_span(*args, **kwargs)

    def start_as_current_span(
        self, *args: Any, **kwargs: Any
    ) -> Any:  # pragma: no cover  shadowed by point_at
        return self.__dict__["_real"].start_as_current_span(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_real":  # not pointed anywhere yet, or a half-built copy
            raise AttributeError(name)
        return getattr(self._real, name)


class TracerSwitch(TracerProvider):
    """A tracer provider whose tracers follow the engine in force."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._provider: TracerProvider = NoOpTracerProvider()
        self._tracers: weakref.WeakSet[_SwitchedTracer] = weakref.WeakSet()

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Tracer:
        """A tracer of the engine in force, and of each that comes after it."""
        tracer = _SwitchedTracer(
            instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        )
        with self._lock:
            aim([tracer], self._provider, NoOpTracerProvider())
            self._tracers.add(tracer)
        return tracer

    def switch(self, provider: TracerProvider) -> None:
        """Send all spans to `provider` from now on."""
        self._lock = threading.RLock()  # a forked child must not inherit a held lock
        with self._lock:
            self._provider = provider
            aim(list(self._tracers), provider, NoOpTracerProvider())

    def __getattr__(self, name: str) -> Any:
        # Libraries look for SDK members on the global provider: resource, add_span_processor, sampler, …
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._provider, name)


class _SwitchedLogger(_logs.Logger):
    def __init__(self, name: str, version: str | None, schema_url: str | None, attributes: Any) -> None:
        super().__init__(name, version, schema_url, attributes)
        self._scope = (name, version, schema_url, attributes)

    def point_at(self, provider: LoggerProvider) -> None:
        real = provider.get_logger(*self._scope)
        self.__dict__["emit"] = real.emit
        self.__dict__["enabled"] = real.enabled

    def emit(self, *args: Any, **kwargs: Any) -> None:
        """Shadowed by the engine's own method; here because the API class declares it abstract."""

    def enabled(self, *_args: Any, **_kwargs: Any) -> bool:  # pragma: no cover  shadowed, like emit
        """Shadowed by the engine's own method; here because the API class declares it abstract."""
        return False


class LoggerSwitch(_logs.LoggerProvider):
    """A logger provider whose loggers follow the engine in force."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._provider: LoggerProvider = _logs.NoOpLoggerProvider()
        self._loggers: weakref.WeakSet[_SwitchedLogger] = weakref.WeakSet()

    def get_logger(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> Logger:
        """A logger of the engine in force, and of each that comes after it."""
        logger = _SwitchedLogger(name, version, schema_url, attributes)
        with self._lock:
            aim([logger], self._provider, _logs.NoOpLoggerProvider())
            self._loggers.add(logger)
        return logger

    def switch(self, provider: LoggerProvider) -> None:
        """Send all log records to `provider` from now on."""
        self._lock = threading.RLock()
        with self._lock:
            self._provider = provider
            aim(list(self._loggers), provider, _logs.NoOpLoggerProvider())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._provider, name)


class Switchboard:
    """The three switches of one telemetry handle, and their installation as the API's globals."""

    def __init__(self) -> None:
        self.tracers: TracerSwitch = TracerSwitch()
        self.meters: MeterSwitch = MeterSwitch()
        self.loggers: LoggerSwitch = LoggerSwitch()

    def switch(self, tracers: TracerProvider, meters: MeterProvider, loggers: LoggerProvider) -> None:
        """Put an engine's providers behind the switches."""
        self.tracers.switch(tracers)
        self.meters.switch(meters)
        self.loggers.switch(loggers)

    def switch_off(self) -> None:
        """Put no-op providers behind the switches: what libraries hold stays valid and does nothing."""
        self.switch(NoOpTracerProvider(), NoOpMeterProvider(), _logs.NoOpLoggerProvider())

    def install(self) -> list[str]:
        """Make the switches the API's globals: all three, or none where one is taken.

        Returns:
            The signals whose global somebody else had already set, e.g. ``["traces (TracerProvider of opentelemetry.sdk.trace)"]``;
            empty when all three are ours.
        """
        taken = []
        free: list[Callable[[], None]] = []
        for signal, get, put, ours, unset in (
            (
                "traces",
                trace.get_tracer_provider,
                trace.set_tracer_provider,
                self.tracers,
                trace.ProxyTracerProvider,
            ),
            ("metrics", metrics.get_meter_provider, metrics.set_meter_provider, self.meters, None),
            ("logs", _logs.get_logger_provider, _logs.set_logger_provider, self.loggers, None),
        ):
            present = cast("Callable[[], Any]", get)()
            if present is ours:
                continue
            kind = type(present)
            if (unset is not None and kind is unset) or kind.__name__.startswith(("_Proxy", "Proxy")):
                free.append(partial(cast("Callable[[Any], None]", put), ours))
            else:
                taken.append(f"{signal} ({kind.__name__} of {kind.__module__})")
        if not taken:
            for install in free:
                install()
        return taken
