"""What code that is measured records with while telemetry runs: one handle's instruments and limits."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ticktrace import semconv
from ticktrace.catalog import Kind
from ticktrace.engine import report
from ticktrace.trading._limits import MOST_WORDS, WordLimit
from ticktrace.trading._words import known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import Instruments
    from ticktrace.measuring.statistics import Statistics
    from ticktrace.trading import Recorder

__all__ = ["Target"]

# The limits that trading has for the same words: one symbol must not count twice against its limit.
_TRADINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        semconv.SYMBOL: "symbols",
        semconv.STRATEGY_NAME: "strategies",
        semconv.FILTER_NAME: "filters",
        semconv.RISK_RULE: "rules",
        semconv.VENUE: "venues",
        semconv.TIMEFRAME: "timeframes",
        semconv.SCANNER_NAME: "scanners",
        semconv.ERROR_TYPE: "errors",
        semconv.EVENT_TYPE: "events",
        semconv.EVENT_HANDLER_NAME: "handlers",
        semconv.QUEUE_NAME: "queues",
        semconv.PROVIDER_NAME: "providers",
        semconv.PROVIDER_OPERATION: "operations",
        semconv.CACHE_NAME: "caches",
        semconv.COMPONENT: "components",
    }
)
_METHODS: Final[Mapping[Kind, tuple[str, str]]] = MappingProxyType(
    {
        Kind.COUNTER: ("counter", "add"),
        Kind.UP_DOWN_COUNTER: ("up_down_counter", "add"),
        Kind.HISTOGRAM: ("histogram", "record"),
        Kind.GAUGE: ("gauge", "set"),
    }
)


class Target:
    """One telemetry handle, as measured code sees it.

    Attributes:
        statistics: what was recorded lately.
    """

    def __init__(self, recorder: Recorder, instruments: Instruments, statistics: Statistics) -> None:
        self.statistics: Statistics = statistics
        self._recorder = recorder
        self._instruments = instruments
        self._limits: dict[str, WordLimit] = {}

    def labels(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes as they may stand on metrics.

        Args:
            given: words of the application by attribute key.
        """
        labels: dict[str, Any] = dict(self._recorder.labels)
        for key, word in given.items():
            labels[key] = self._label(key, word)
        return labels

    def bind(self, spec: InstrumentSpec, labels: Mapping[str, Any]) -> tuple[object, Callable[[float], None]]:
        """A bound handle of an instrument, and the call that records on it.

        Raises:
            CatalogError: the instruments have no such row.
        """
        make, write = _METHODS[spec.kind]
        handle = getattr(self._instruments, make)(spec.name, labels)
        return handle, getattr(handle, write)

    def dropped(self, reason: str, items: int = 1) -> None:
        """Count measurements that were lost. Never raises."""
        try:
            self._recorder.dropped("measure", reason).add(items)
        except Exception as error:  # noqa: BLE001  the barrier
            report("measure.dropped", error)

    def reset_locks(self) -> None:
        """In a forked child, where a thread that held one does not exist."""
        for limit in self._limits.values():
            limit.reset_lock()

    def _label(self, key: str, word: Any) -> str:
        if isinstance(word, Enum):
            word = word.value
        enumeration = semconv.ENUMERATIONS.get(key)
        if enumeration is not None:
            return known(enumeration, word)
        limit: WordLimit | None = getattr(self._recorder.words, _TRADINGS.get(key, ""), None)
        if limit is None:
            limit = self._limits.get(key) or self._limits.setdefault(key, WordLimit((), MOST_WORDS))
        return limit.label(word)
