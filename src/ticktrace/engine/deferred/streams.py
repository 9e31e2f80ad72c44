"""A reader's view of what our instruments record: the SDK's storage, filled in bulk just before it is read.

Which streams an instrument has for a reader, what they are called, how they are aggregated and exported is decided by
the SDK's `MetricReaderStorage`. A `Series` puts its own bulk aggregations where the SDK would have put its own.
"""

from __future__ import annotations

import threading
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage

from ticktrace.engine.deferred.aggregate import LateReservoir, aggregation_like, is_dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.sdk.metrics._internal._view_instrument_match import _ViewInstrumentMatch
    from opentelemetry.sdk.metrics._internal.aggregation import AggregationTemporality
    from opentelemetry.sdk.metrics._internal.instrument import _Instrument
    from opentelemetry.sdk.metrics._internal.point import MetricsData
    from opentelemetry.sdk.metrics._internal.sdk_configuration import SdkConfiguration

    from ticktrace.engine.deferred.inside import Inside

__all__ = ["ReaderStorage", "Shape", "Sink", "shape_of"]


class Sink(NamedTuple):
    """An aggregation in its place.

    Attributes:
        match: the stream.
        key: the attribute set among the stream's, as the SDK hashes it.
        aggregation: what is fed.
    """

    match: _ViewInstrumentMatch
    key: Any
    aggregation: Any


class ReaderStorage(MetricReaderStorage):
    """The SDK's storage of one reader.

    Args:
        inside: the threads that are at the SDK's locks.
        before: called when the reader collects, after the asynchronous instruments: brings in what is buffered.
        after: called when the points have been made.
    """

    def __init__(
        self,
        sdk_config: SdkConfiguration,
        instrument_class_temporality: dict[Any, AggregationTemporality],
        instrument_class_aggregation: dict[Any, Any],
        *,
        inside: Inside,
        before: Callable[[ReaderStorage], None],
        after: Callable[[ReaderStorage], None],
    ) -> None:
        super().__init__(sdk_config, instrument_class_temporality, instrument_class_aggregation)
        self._since = time_ns()
        self._inside = inside
        self._before = before
        self._after = after
        self._feeders: dict[int, int] = {}  # by id() of the aggregation: how many series feed it

    def collect(self) -> MetricsData | None:
        """The points of this moment; see the SDK. None on top of a thread that is at it: it would wait for itself."""
        self._before(self)
        if not self._inside.enter():
            return None
        try:
            data = super().collect()
        finally:
            self._inside.leave()
        self._after(self)
        return data

    def bring_in(self) -> None:
        """Have what is buffered brought in, as before a collection, without collecting."""
        self._before(self)

    def matches(self, instrument: _Instrument) -> list[_ViewInstrumentMatch]:
        """The streams of an instrument.

        Raises:
            Exception: a view or the instrument's advice is wrong, such as boundaries that do not increase.
        """
        return self._get_or_init_view_instrument_match(instrument)

    def connect(
        self,
        instrument: _Instrument,
        attributes: Mapping[str, Any],
        start: int,
        accepts: Callable[[type], bool],
        *,
        whole: bool = False,
    ) -> tuple[Sink, ...]:
        """Put an aggregation for `attributes` into each stream of an instrument, or find the one that is there.

        Args:
            instrument: the SDK's instrument.
            attributes: of the series, clean.
            start: since when the series is observed, in ns since the epoch.
            accepts: which classes of aggregation the series can feed.
            whole: keep attributes that a view filters out.
        """
        sinks = []
        for match in self.matches(instrument):
            model = match._aggregation  # noqa: SLF001  everything here is the inside of the SDK's storage
            if is_dropped(model) or not accepts(type(model)):
                continue
            keys = match._view._attribute_keys  # noqa: SLF001
            kept = {k: v for k, v in attributes.items() if keys is None or whole or k in keys}
            key = _hash_attributes(kept)
            with match._lock:  # noqa: SLF001
                aggregations: dict[Any, Any] = match._attributes_aggregation  # noqa: SLF001
                aggregation = aggregations.get(key)
                if aggregation is None:
                    made = aggregation_like(match, kept, max(start, self._since))
                    aggregation = aggregations[key] = made
                self._feeders[id(aggregation)] = self._feeders.get(id(aggregation), 0) + 1
            sinks.append(Sink(match, key, aggregation))
        return tuple(sinks)

    def disconnect(self, sinks: tuple[Sink, ...]) -> None:
        """Forget the aggregations that nothing feeds any more."""
        for match, key, aggregation in sinks:
            with match._lock:  # noqa: SLF001
                left = self._feeders.pop(id(aggregation)) - 1
                if left:
                    self._feeders[id(aggregation)] = left
                else:
                    match._attributes_aggregation.pop(key, None)  # noqa: SLF001

    def reset_locks(self) -> None:
        """In a forked child: threads that are gone may have held the locks, of the SDK's objects, too."""
        self._lock = threading.RLock()
        for matches in list(self._instrument_view_instrument_matches.values()):
            for match in matches:
                match._lock = threading.Lock()  # noqa: SLF001
                for aggregation in list(match._attributes_aggregation.values()):  # noqa: SLF001
                    aggregation._lock = threading.RLock()  # type: ignore[assignment]  # noqa: SLF001
                    reservoir: Any = aggregation._reservoir  # noqa: SLF001
                    if isinstance(reservoir, LateReservoir):
                        reservoir.reset_lock()

    def counts(self) -> dict[str, int]:
        """How many series each stream has, by its name."""
        with self._lock:
            matches = [m for found in self._instrument_view_instrument_matches.values() for m in found]
        counts: dict[str, int] = {}
        for match in matches:
            counts[match._name] = counts.get(match._name, 0) + len(match._attributes_aggregation)  # noqa: SLF001
        return counts


class Shape(NamedTuple):
    """What the streams of an instrument have in common.

    Attributes:
        kinds: the classes of their aggregations; none where all are dropped.
        keys: the attributes that any of them keeps; None for all.
    """

    kinds: frozenset[type]
    keys: frozenset[str] | None


def shape_of(matches: Iterable[_ViewInstrumentMatch]) -> Shape:
    """The shape of these streams."""
    kinds: set[type] = set()
    keys: set[str] | None = set()
    for match in matches:
        model = match._aggregation  # noqa: SLF001
        if is_dropped(model):
            continue
        kinds.add(type(model))
        kept = match._view._attribute_keys  # noqa: SLF001
        keys = None if keys is None or kept is None else keys | set(kept)
    return Shape(frozenset(kinds), None if keys is None else frozenset(keys))
