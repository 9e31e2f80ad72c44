"""Bound instruments: an instrument and one attribute set, resolved once, off the hot path.

The OpenTelemetry specification is developing the same call under the same name ("bound instruments", metrics API).
A handle's `add`, `record` or `set` *is* the engine's function, held as an instance attribute: calling it costs no
frame of ours, and a later engine (after a fork, or after shutdown) can be put underneath by assigning it anew.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from ticktrace.catalog import CATALOG, InstrumentSpec, Kind
from ticktrace.engine.barrier import attempt, text_of, warn_once
from ticktrace.errors import CatalogError
from ticktrace.semconv import SCHEMA_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

__all__ = ["BoundCounter", "BoundGauge", "BoundHistogram", "BoundUpDownCounter", "Instruments"]


def _ignore(_value: float, /) -> None:
    """What a handle does while no engine is attached."""


class _Handle:
    __slots__ = ("__weakref__", "attributes", "name")

    def __init__(self, name: str, attributes: Mapping[str, Any]) -> None:
        self.name: str = name
        self.attributes: dict[str, Any] = dict(attributes)

    def _point_at(self, function: Callable[[float], None]) -> None:
        raise NotImplementedError  # pragma: no cover  each kind names its own method


class BoundCounter(_Handle):
    """A counter with its attributes. ``add(amount)``: a number, not negative."""

    __slots__ = ("add",)
    add: Callable[[float], None]

    def _point_at(self, function: Callable[[float], None]) -> None:
        self.add = function


class BoundUpDownCounter(BoundCounter):
    """An up-down counter with its attributes. ``add(amount)``: a number of either sign."""

    __slots__ = ()


class BoundHistogram(_Handle):
    """A histogram with its attributes. ``record(value)``: in the instrument's unit.

    Attributes:
        offer: on an engine that decides late what is kept, makes an exemplar of a value that was recorded before: the
            value, trace id, span id and wall-clock ns. None on an engine that does so itself while recording.
    """

    __slots__ = ("offer", "record")
    record: Callable[[float], None]
    offer: Callable[[float, int, int, int], None] | None

    def _point_at(self, function: Callable[[float], None]) -> None:
        self.record = function
        self.offer = None


class BoundGauge(_Handle):
    """A gauge with its attributes. ``set(value)``: in the instrument's unit."""

    __slots__ = ("set",)
    set: Callable[[float], None]

    def _point_at(self, function: Callable[[float], None]) -> None:
        self.set = function


class _Instrument(Protocol):
    """What the four synchronous kinds have in common for us: something to bind."""


def _create(meter: Meter, spec: InstrumentSpec) -> _Instrument:
    match spec.recorded_as:
        case Kind.COUNTER:
            return meter.create_counter(spec.name, spec.unit, spec.description)
        case Kind.UP_DOWN_COUNTER:
            return meter.create_up_down_counter(spec.name, spec.unit, spec.description)
        case Kind.GAUGE:
            return meter.create_gauge(spec.name, spec.unit, spec.description)
        case _:
            return meter.create_histogram(
                spec.name, spec.unit, spec.description, explicit_bucket_boundaries_advisory=spec.buckets
            )


_METHOD = {
    Kind.COUNTER: "add",
    Kind.UP_DOWN_COUNTER: "add",
    Kind.HISTOGRAM: "record",
    Kind.GAUGE: "set",
}


def _contained(record: Callable[..., None], name: str, attributes: dict[str, Any]) -> Callable[[float], None]:
    """Record with these attributes. The SDK raises for what is no number, which must not end the bot."""

    def contained_record(value: float) -> None:
        try:
            record(value, attributes)
        except Exception as error:  # noqa: BLE001  a value may be anything
            warn_once(
                f"invalid.{name}",
                "ticktrace: %s was left out of %s: %s",
                text_of(value),
                name,
                text_of(error),
            )

    return contained_record


def _point(handle: _Handle, instrument: _Instrument, spec: InstrumentSpec) -> None:
    """Let `handle` record on `instrument` by the cheapest call there is.

    An engine whose instruments offer ``bind`` returns a faster one than a partial over the public call.
    """
    method = _METHOD[spec.recorded_as]
    bind = getattr(instrument, "bind", None)
    if bind is None:
        handle._point_at(_contained(getattr(instrument, method), spec.name, handle.attributes))  # noqa: SLF001  one mechanism
        return
    bound = bind(handle.attributes)
    handle._point_at(getattr(bound, method))  # noqa: SLF001  see above
    if isinstance(handle, BoundHistogram):
        handle.offer = bound.offer_exemplar


class Instruments:
    """The catalog's instruments on whichever engine is attached, handed out bound to their attributes.

    Thread-safe. Handles are created once for each name and attribute set and live as long as this object.
    """

    def __init__(self, catalog: Mapping[str, InstrumentSpec] = CATALOG) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._meter: Meter | None = None
        self._instruments: dict[str, _Instrument] = {}
        self._refreshers: list[Callable[[], None]] = []
        self._handles: weakref.WeakValueDictionary[tuple[str, tuple[tuple[str, Any], ...]], _Handle] = (
            weakref.WeakValueDictionary()
        )

    def attach(self, provider: MeterProvider, scope: str, version: str) -> None:
        """Record on `provider` from now on; every handle that exists follows."""
        self._lock = threading.Lock()  # in a forked child the old one may be held by a thread that is gone …
        with self._lock:
            self._meter = provider.get_meter(scope, version, SCHEMA_URL)
            self._instruments = {}
            for handle in list(self._handles.values()):
                self._aim(handle)
            if self._refreshers:
                self._watch_collections(self._meter)

    def detach(self) -> None:
        """Record nowhere from now on; every handle becomes a no-op."""
        self._lock = threading.Lock()  # … or by the very thread whose signal handler shuts down
        with self._lock:
            self._meter = None
            self._instruments = {}
            for handle in list(self._handles.values()):
                handle._point_at(_ignore)  # noqa: SLF001  handles and their maker are one mechanism

    def before_collection(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` each time a reader collects, before it reads, on the reader's thread.

        For gauges whose value changes while nothing is recorded, or costs too much to set each time something is.
        """
        with self._lock:
            self._refreshers.append(refresh)
            meter = self._meter if len(self._refreshers) == 1 else None
        if meter is not None:  # not under the lock: a collection that is under way may wait for it
            self._watch_collections(meter)

    def _watch_collections(self, meter: Meter) -> None:
        # The API's only hook before a collection is the callback of an observable; this one observes nothing.
        meter.create_observable_gauge("ticktrace.refresh", [self._refresh])

    def _refresh(self, _options: CallbackOptions) -> tuple[Observation, ...]:
        self.refresh()
        return ()

    def refresh(self) -> None:
        """Do what is done before a collection, for who reads without one. Never raises."""
        for refresh in list(self._refreshers):
            attempt("gauges.refresh", refresh)

    def _aim(self, handle: _Handle) -> None:
        if self._meter is None:
            handle._point_at(_ignore)  # noqa: SLF001
            return
        spec = self._catalog[handle.name]
        instrument = self._instruments.get(spec.name)
        if instrument is None:
            instrument = self._instruments[spec.name] = _create(self._meter, spec)
        _point(handle, instrument, spec)

    def _bind(
        self, name: str, kinds: tuple[Kind, ...], make: type[_Handle], attributes: Mapping[str, Any]
    ) -> Any:
        spec = self._catalog.get(name)
        if spec is None:
            raise CatalogError(f"instrument {name!r} is not in the catalog")
        if spec.kind not in kinds:
            raise CatalogError(f"instrument {name!r} is a {spec.kind.value}, not a {kinds[0].value}")
        kept = {key: attributes[key] for key in spec.attributes if attributes.get(key) is not None}
        key = (name, tuple(kept.items()))
        with self._lock:
            handle = self._handles.get(key)
            if handle is None:
                handle = make(name, kept)
                self._aim(handle)
                self._handles[key] = handle
            return handle

    def counter(self, name: str, attributes: Mapping[str, Any]) -> BoundCounter:
        """A bound counter.

        Args:
            name: the catalog's full name, e.g. ``trading.candles.processed``.
            attributes: labels; those that the catalog does not allow for this instrument are left out.

        Raises:
            CatalogError: the catalog has no such counter.
        """
        handle: BoundCounter = self._bind(name, (Kind.COUNTER,), BoundCounter, attributes)
        return handle

    def up_down_counter(self, name: str, attributes: Mapping[str, Any]) -> BoundUpDownCounter:
        """A bound up-down counter; see `counter`."""
        handle: BoundUpDownCounter = self._bind(name, (Kind.UP_DOWN_COUNTER,), BoundUpDownCounter, attributes)
        return handle

    def histogram(self, name: str, attributes: Mapping[str, Any]) -> BoundHistogram:
        """A bound histogram; see `counter`."""
        handle: BoundHistogram = self._bind(name, (Kind.HISTOGRAM,), BoundHistogram, attributes)
        return handle

    def gauge(self, name: str, attributes: Mapping[str, Any]) -> BoundGauge:
        """A bound gauge; see `counter`."""
        handle: BoundGauge = self._bind(name, (Kind.GAUGE,), BoundGauge, attributes)
        return handle
