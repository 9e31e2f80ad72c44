"""The global providers, set once, behind which engines can be exchanged.

The OTel API refuses a second global provider, and libraries keep the tracers and instruments they once got. So the
API's globals are set to these switches, and everything that was handed out follows when an engine is attached, after
a fork, or detached at shutdown. What is switched are *bound methods kept as instance attributes*: an instrument
behind a switch costs exactly what the engine's own instrument costs.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import (
    CallbackOptions,
    Counter,
    Histogram,
    Meter,
    MeterProvider,
    NoOpMeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observation,
    UpDownCounter,
    _Gauge,
)
from opentelemetry.trace import NoOpTracerProvider, Tracer, TracerProvider

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider

_Callbacks = Sequence[
    Callable[[CallbackOptions], Iterable[Observation]]
    | Generator[Iterable[Observation], CallbackOptions, None]
]

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
            tracer.point_at(self._provider)
            self._tracers.add(tracer)
        return tracer

    def switch(self, provider: TracerProvider) -> None:
        """Send all spans to `provider` from now on."""
        self._lock = threading.RLock()  # a forked child must not inherit a held lock
        with self._lock:
            self._provider = provider
            for tracer in list(self._tracers):
                tracer.point_at(provider)

    def __getattr__(self, name: str) -> Any:
        # Libraries look for SDK members on the global provider: resource, add_span_processor, sampler, …
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._provider, name)


class _Switched:
    """Mixed into each instrument kind: remembers how it was made, so that it can be made again elsewhere."""

    _methods: tuple[str, ...] = ()

    def __init__(self, create: str, arguments: tuple[Any, ...], extra: dict[str, Any]) -> None:
        self._create = create
        self._arguments = arguments
        self._extra = extra
        self.name = arguments[0]

    def point_at(self, meter: Meter) -> None:
        real = getattr(meter, self._create)(*self._arguments, **self._extra)
        for method in self._methods:
            self.__dict__[method] = getattr(real, method)
        self.__dict__["_real"] = real

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.__dict__["_real"], name)  # `bind`, where the engine's instruments offer it


class _SwitchedCounter(_Switched, Counter):
    _methods = ("add",)

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Shadowed by the engine's own method; here because the API class declares it abstract."""


class _SwitchedUpDownCounter(_Switched, UpDownCounter):
    _methods = ("add",)

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Shadowed; see `_SwitchedCounter`."""


class _SwitchedHistogram(_Switched, Histogram):
    _methods = ("record",)

    def record(self, *args: Any, **kwargs: Any) -> None:
        """Shadowed; see `_SwitchedCounter`."""


class _SwitchedGauge(_Switched, _Gauge):
    _methods = ("set",)

    def set(self, *args: Any, **kwargs: Any) -> None:
        """Shadowed; see `_SwitchedCounter`."""


class _SwitchedObservableCounter(_Switched, ObservableCounter):
    pass


class _SwitchedObservableUpDownCounter(_Switched, ObservableUpDownCounter):
    pass


class _SwitchedObservableGauge(_Switched, ObservableGauge):
    pass


class _SwitchedMeter(Meter):
    def __init__(self, name: str, version: str | None, schema_url: str | None, attributes: Any) -> None:
        super().__init__(name, version, schema_url)
        self._scope = (name, version, schema_url, attributes)
        self._lock = threading.RLock()
        self._real: Meter | None = None
        self._known: dict[tuple[Any, ...], _Switched] = {}
        self._observables: list[_Switched] = []

    def point_at(self, provider: MeterProvider) -> None:
        self._lock = threading.RLock()
        with self._lock:
            self._real = real = provider.get_meter(*self._scope)
            for instrument in [*self._known.values(), *self._observables]:
                instrument.point_at(real)

    def _made(self, kind: type[_Switched], create: str, arguments: tuple[Any, ...], **extra: Any) -> Any:
        key = (create, *arguments, tuple(extra.items()))
        with self._lock:
            instrument = self._known.get(key)
            if instrument is None:
                instrument = self._known[key] = kind(create, arguments, extra)
                instrument.point_at(cast("Meter", self._real))
            return instrument

    def _observed(self, kind: type[_Switched], create: str, arguments: tuple[Any, ...]) -> Any:
        with self._lock:
            instrument = kind(create, arguments, {})
            instrument.point_at(cast("Meter", self._real))
            self._observables.append(instrument)
            return instrument

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        made: Counter = self._made(_SwitchedCounter, "create_counter", (name, unit, description))
        return made

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        made: UpDownCounter = self._made(
            _SwitchedUpDownCounter, "create_up_down_counter", (name, unit, description)
        )
        return made

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> _Gauge:
        made: _Gauge = self._made(_SwitchedGauge, "create_gauge", (name, unit, description))
        return made

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        bounds = explicit_bucket_boundaries_advisory
        made: Histogram = self._made(
            _SwitchedHistogram,
            "create_histogram",
            (name, unit, description),
            explicit_bucket_boundaries_advisory=None if bounds is None else tuple(bounds),
        )
        return made

    def create_observable_counter(
        self,
        name: str,
        callbacks: _Callbacks | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableCounter:
        made: ObservableCounter = self._observed(
            _SwitchedObservableCounter, "create_observable_counter", (name, callbacks, unit, description)
        )
        return made

    def create_observable_up_down_counter(
        self,
        name: str,
        callbacks: _Callbacks | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableUpDownCounter:
        made: ObservableUpDownCounter = self._observed(
            _SwitchedObservableUpDownCounter,
            "create_observable_up_down_counter",
            (name, callbacks, unit, description),
        )
        return made

    def create_observable_gauge(
        self,
        name: str,
        callbacks: _Callbacks | None = None,
        unit: str = "",
        description: str = "",
    ) -> ObservableGauge:
        made: ObservableGauge = self._observed(
            _SwitchedObservableGauge, "create_observable_gauge", (name, callbacks, unit, description)
        )
        return made


class MeterSwitch(MeterProvider):
    """A meter provider whose meters and instruments follow the engine in force."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._provider: MeterProvider = NoOpMeterProvider()
        self._meters: dict[tuple[Any, ...], _SwitchedMeter] = {}

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> Meter:
        """A meter of the engine in force, and of each that comes after it."""
        key = (name, version, schema_url, tuple(sorted((attributes or {}).items())))
        with self._lock:
            meter = self._meters.get(key)
            if meter is None:
                meter = self._meters[key] = _SwitchedMeter(name, version, schema_url, attributes)
                meter.point_at(self._provider)
            return meter

    def switch(self, provider: MeterProvider) -> None:
        """Send all measurements to `provider` from now on."""
        self._lock = threading.RLock()
        with self._lock:
            self._provider = provider
            for meter in self._meters.values():
                meter.point_at(provider)

    def __getattr__(self, name: str) -> Any:
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
            logger.point_at(self._provider)
            self._loggers.add(logger)
        return logger

    def switch(self, provider: LoggerProvider) -> None:
        """Send all log records to `provider` from now on."""
        self._lock = threading.RLock()
        with self._lock:
            self._provider = provider
            for logger in list(self._loggers):
                logger.point_at(provider)

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
        """Make the switches the API's globals.

        Returns:
            The signals whose global somebody else had already set, e.g. ``["traces (TracerProvider of opentelemetry.sdk.trace)"]``;
            empty when all three are ours.
        """
        taken = []
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
                cast("Callable[[Any], None]", put)(ours)
            else:
                taken.append(f"{signal} ({kind.__name__} of {kind.__module__})")
        return taken
