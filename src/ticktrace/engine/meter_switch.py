"""The meter provider behind which engines can be exchanged; see `ticktrace.engine.switch`."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, cast

from opentelemetry.metrics import (
    CallbackOptions,
    Counter,
    Histogram,
    Meter,
    MeterProvider,
    NoOpMeter,
    NoOpMeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    Observation,
    UpDownCounter,
    _Gauge,
)

from ticktrace.engine.aim import aim

__all__ = ["MeterSwitch"]

_Callbacks = Sequence[
    Callable[[CallbackOptions], Iterable[Observation]]
    | Generator[Iterable[Observation], CallbackOptions, None]
]


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


def _repeatable(callback: Any) -> Callable[[CallbackOptions], Iterable[Observation]]:
    """A callback that every engine can be given in turn; a generator can be started once only, so that is done here."""
    if not isinstance(callback, Generator):
        function: Callable[[CallbackOptions], Iterable[Observation]] = callback
        return function

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        try:
            if inspect.getgeneratorstate(callback) == inspect.GEN_CREATED:
                next(callback)
            observations: Iterable[Observation] = callback.send(options)
        except StopIteration:
            return ()
        return observations

    return observe


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
            aim([*self._known.values(), *self._observables], real, NoOpMeter(self._scope[0]))

    def _made(self, kind: type[_Switched], create: str, arguments: tuple[Any, ...], **extra: Any) -> Any:
        key = (create, *arguments, tuple(extra.items()))
        with self._lock:
            instrument = self._known.get(key)
            if instrument is None:
                instrument = kind(create, arguments, extra)
                instrument.point_at(cast("Meter", self._real))  # raises on an invalid name, as the SDK does
                self._known[key] = instrument
            return instrument

    def _observed(
        self, kind: type[_Switched], create: str, name: str, callbacks: _Callbacks | None, *rest: str
    ) -> Any:
        again = [_repeatable(callback) for callback in callbacks or ()]
        with self._lock:
            instrument = kind(create, (name, again, *rest), {})
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
            _SwitchedObservableCounter, "create_observable_counter", name, callbacks, unit, description
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
            name,
            callbacks,
            unit,
            description,
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
            _SwitchedObservableGauge, "create_observable_gauge", name, callbacks, unit, description
        )
        return made


class MeterSwitch(MeterProvider):
    """A meter provider whose meters and instruments follow the engine in force."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._provider: MeterProvider = NoOpMeterProvider()
        self._meters: dict[str, _SwitchedMeter] = {}

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> Meter:
        """A meter of the engine in force, and of each that comes after it."""
        # As text, because libraries pass attributes that cannot be hashed.
        key = repr((name, version, schema_url, sorted(map(repr, (attributes or {}).items()))))
        with self._lock:
            meter = self._meters.get(key)
            if meter is None:
                meter = _SwitchedMeter(name, version, schema_url, attributes)
                aim([meter], self._provider, NoOpMeterProvider())
                self._meters[key] = meter
            return meter

    def switch(self, provider: MeterProvider) -> None:
        """Send all measurements to `provider` from now on."""
        self._lock = threading.RLock()
        with self._lock:
            self._provider = provider
            aim(list(self._meters.values()), provider, NoOpMeterProvider())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._provider, name)
