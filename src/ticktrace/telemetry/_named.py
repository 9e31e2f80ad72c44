"""Instruments by name: the application's own rows, and the catalog's."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ticktrace import semconv
from ticktrace.catalog import InstrumentNames, InstrumentSpec, Kind, make_catalog, problems_of_own
from ticktrace.engine import (
    BoundCounter,
    BoundGauge,
    BoundHistogram,
    BoundUpDownCounter,
    Instruments,
    report,
    text_of,
    warn_once,
)
from ticktrace.errors import CatalogError
from ticktrace.measuring import NAMES, keys_of
from ticktrace.measuring._target import Target  # the one place that knows which label has which limit

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from ticktrace.measuring import Statistics
    from ticktrace.trading import Recorder

    Handle = BoundCounter | BoundHistogram | BoundGauge

__all__ = ["NamedInstruments"]

H = TypeVar("H", BoundCounter, BoundUpDownCounter, BoundHistogram, BoundGauge)

_KEPT_FOR_EACH_SERIES: Final = 4  # as many spellings of the same labels are remembered, on average

_WRITES: Final = {
    BoundCounter: "add",
    BoundUpDownCounter: "add",
    BoundHistogram: "record",
    BoundGauge: "set",
}
_KINDS: Final = {
    BoundCounter: Kind.COUNTER,
    BoundUpDownCounter: Kind.UP_DOWN_COUNTER,
    BoundHistogram: Kind.HISTOGRAM,
    BoundGauge: Kind.GAUGE,
}


def _nowhere() -> dict[Kind, Any]:
    """Handles that record nothing: those of instruments that no engine is ever attached to."""
    rows = [
        InstrumentSpec(
            f"nowhere.{kind}", kind, "1", "Nothing.", buckets=(1.0,) if kind is Kind.HISTOGRAM else None
        )
        for kind in Kind
    ]
    unattached = Instruments(make_catalog(rows))
    return {row.kind: getattr(unattached, row.kind.value)(row.name, {}) for row in rows}


_NOWHERE: Final = _nowhere()


class _Sets:
    """The attribute sets of one instrument, at most `limit`, the one for all further sets among them."""

    def __init__(self, row: InstrumentSpec, limit: int) -> None:
        self._row = row
        self._limit = limit
        self._seen: set[tuple[Any, ...]] = set()
        self.handles: dict[Hashable, Handle] = {}
        self.overflow: Handle | None = None

    def is_one_more(self, labels: Mapping[str, Any]) -> bool:
        """Whether there is no room for these labels."""
        kept = tuple(labels.get(key) for key in self._row.attributes)
        if not any(value is not None for value in kept) or kept in self._seen:
            return False
        if len(self._seen) >= self._limit - 1:
            return True
        self._seen.add(kept)
        return False

    def keep(self, key: Hashable, handle: Handle) -> None:
        """Find this handle by `key` from now on."""
        if len(self.handles) < self._limit * _KEPT_FOR_EACH_SERIES:
            self.handles[key] = handle


class NamedInstruments:
    """Instruments by any of their names, with labels by bare word; reached through `Telemetry.counter` and its like.

    Args:
        catalog: all rows; `declare` adds to it.
        recorder: the trading room's, whose limits hold here too.
        instruments: what makes handles, from the same catalog.
        statistics: of the same telemetry.
    """

    def __init__(
        self,
        catalog: dict[str, InstrumentSpec],
        recorder: Recorder,
        instruments: Instruments,
        statistics: Statistics,
    ) -> None:
        self._catalog = catalog
        self._names = InstrumentNames(catalog)
        self._recorder = recorder
        self._instruments = instruments
        self._target = Target(recorder, instruments, statistics)
        self._limit = recorder.settings.metrics.series_limit
        self._lock = threading.RLock()
        self._sets: dict[str, _Sets] = {}
        own = [catalog[name] for name in recorder.settings.metrics.instruments if name in catalog]
        NAMES.add(own)  # so that ticktrace.measure and the older styles find them too

    def declare(self, rows: Iterable[InstrumentSpec]) -> None:
        """Add rows; see `Telemetry.declare`.

        Raises:
            CatalogError: something is wrong with one of them; the message lists everything, and none is added.
        """
        with self._lock:
            together = dict(self._catalog)
            problems = []
            for row in rows:
                if together.get(row.name) == row:
                    continue
                found = problems_of_own(row, together)
                if row.signed:
                    found.append(
                        "values below 0 need a view, which there is only for rows declared at set-up"
                    )
                problems += [f"instrument {row.name!r}: {problem}" for problem in found]
                together[row.name] = row
            if problems:
                raise CatalogError("\n".join(problems))
            fresh = [row for name, row in together.items() if name not in self._catalog]
            self._catalog.update(together)
            self._names.add(fresh)
            NAMES.add(fresh)

    def handle(self, kind: type[H], name: str, labels: Mapping[str, Any]) -> H:
        """The handle of an instrument with labels; one that does nothing where there is none. Never raises."""
        key: Hashable = None
        try:
            sets = self._sets.get(name)
            if sets is not None:
                key = tuple(labels.items())
                found = sets.handles.get(key)
                if type(found) is kind:
                    return found
        except TypeError:  # a label without a hash: it counts as its text
            key = None
        try:
            made = self._make(kind, name, labels, key)
        except Exception as error:  # noqa: BLE001  the barrier
            report("instrument", error)
            made = None
        return cast("H", _NOWHERE[_KINDS[kind]]) if made is None else made

    def _make(self, kind: type[H], name: str, labels: Mapping[str, Any], key: Hashable) -> H | None:
        name = text_of(name)
        row = self._names.get(name)
        if row is None:
            warn_once(
                f"instrument.{name:.60}",
                "ticktrace: no instrument is called %r, so it is not recorded%s",
                name,
                self._names.hint(name),
            )
            return None
        if row.kind is not _KINDS[kind]:
            warn_once(
                f"instrument.{name:.60}.{kind.__name__}",
                "ticktrace: %s is a %s, not a %s, so it is not recorded",
                row.name,
                row.kind.value,
                _KINDS[kind].value,
            )
            return None
        given = self._target.labels(keys_of(row, labels, f"{_KINDS[kind].value}({name!r:.40})"))
        with self._lock:
            sets = self._sets.get(row.name)
            if sets is None:
                sets = self._sets[row.name] = _Sets(row, row.max_series or self._limit)
            if sets.is_one_more(given):
                return self._overflowing(kind, row, sets)
        bind: Callable[[str, Mapping[str, Any]], H] = getattr(self._instruments, row.kind.value)
        handle = bind(row.name, given)
        if key is not None and name == row.name:
            sets.keep(key, handle)
        return handle

    def _overflowing(self, kind: type[H], row: InstrumentSpec, sets: _Sets) -> H:
        """The handle for all attribute sets beyond the limit: it counts what goes there."""
        if sets.overflow is None:
            others = {**dict.fromkeys(row.attributes, semconv.OTHER), **self._recorder.labels}
            series = getattr(self._instruments, row.kind.value)(row.name, others)
            lost = self._instruments.counter(
                "ticktrace.series.overflow", {semconv.TELEMETRY_INSTRUMENT_NAME: row.name}
            )
            write = _WRITES[kind]

            def count_and_write(value: float) -> None:
                lost.add(1)
                getattr(series, write)(value)

            handle = kind(row.name, series.attributes)
            handle._point_at(count_and_write)  # noqa: SLF001  both handles behind it follow the engine
            sets.overflow = handle
            warn_once(
                f"series.{row.name}",
                "ticktrace: %s has more attribute sets than its limit; further ones are counted together",
                row.name,
            )
        return cast("H", sets.overflow)

    def start_afresh(self) -> None:
        """In a forked child, where a thread that held a lock does not exist."""
        self._lock = threading.RLock()
        self._target.reset_locks()
