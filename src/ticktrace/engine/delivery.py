"""What became of the telemetry that was handed to each exporter: counted, and said when it changes.

The SDK neither tells how many spans its queue dropped nor shields the process from exporters that raise. A *guard*
stands before every push exporter: it keeps the account, swallows what the exporter raises, and falls silent in a forked
child, where the parent's telemetry must not be sent again.
"""

from __future__ import annotations

import logging
import os
import threading
from time import sleep
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ticktrace.engine.patience import Patience, Stall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Delivery", "GuardedLogExporter", "GuardedMetricExporter", "GuardedSpanExporter"]

_log = logging.getLogger("ticktrace")

_LOOK_AGAIN_SECONDS = 0.1  # patience may be ended meanwhile
_SPANS_AT_ONCE = 8  # encoded in some 150 µs
_PAUSE_SECONDS = 0.0002
_ANYTHING = (Exception, SystemExit)  # an exporter may raise anything; the last would end the queue's thread
_ITEMS = {"traces": "spans", "metrics": "metric exports", "logs": "log records"}


class Delivery:
    """The account of one exporter.

    Args:
        signal: traces, metrics or logs.
        name: the exporter's configured name.
        destination: where it sends, for messages.
        room: how many items its queue holds; None where there is none.
        stall: of those who find it full; nobody waits by default.

    Attributes:
        signal: traces, metrics or logs.
        name: the exporter's configured name.
        destination: where it sends, for messages.
        offered: items given to its queue.
        taken: items that left the queue to be exported.
        dropped: items that found the queue full.
        delivered: items the exporter accepted.
        failed: items it refused, failed on, or raised for.
        failing: True while its last export failed.
    """

    def __init__(
        self,
        signal: str,
        name: str,
        destination: str,
        room: int | None = None,
        stall: Stall | None = None,
    ) -> None:
        self.signal = signal
        self.name = name
        self.destination = destination
        self.offered: int = 0
        self.taken: int = 0
        self.dropped: int = 0
        self.delivered: int = 0
        self.failed: int = 0
        self.failing: bool = False
        self.last_error: str = ""
        self.on_loss: Callable[[int, str], None] | None = None
        self.room: int | None = room
        self._stall = stall or Stall(Patience())
        self._lock = threading.RLock()  # reentrant: a signal handler may end a span
        self._taken = threading.Condition(self._lock)
        self._pid = os.getpid()

    @property
    def foreign(self) -> bool:
        """True in a process other than the one that set this exporter up, i.e. in a forked child."""
        return os.getpid() != self._pid

    @property
    def waiting(self) -> int:
        """How many items are in its queue."""
        return max(0, self.offered - self.taken - self.dropped)

    @property
    def congested(self) -> bool:
        """Whether its queue is full, and worth waiting for."""
        return self._full() and self._stall.remaining(failing=self.failing) > 0

    def offer(self) -> bool:
        """An item asks for a place in the queue.

        The SDK's queue would silently push out its oldest. So that every loss is counted, a newer one is turned away here
        instead, as the specification describes it ("Batching processor"), or waits for a place where there is patience.

        Returns:
            Whether it may be queued.
        """
        if self.foreign:  # nor may the lock be touched: a thread of the parent may have held it at the fork
            return False
        with self._lock:
            full = self._full() and not self._await_place()
            self.offered += 1
            self.dropped += full
        if full and self.on_loss is not None:
            self.on_loss(1, "queue_full")
        return not full

    def _full(self) -> bool:
        return self.room is not None and self.offered - self.taken - self.dropped >= self.room

    def _await_place(self) -> bool:
        """Wait as long as there is patience; whether there is a place. The caller holds the lock."""
        while self._full():
            seconds = self._stall.remaining(failing=self.failing)
            if seconds <= 0:
                return False
            self._taken.wait(min(seconds, _LOOK_AGAIN_SECONDS))
        return True

    def take(self, items: int) -> None:
        """So many items left the queue and are being exported."""
        if self.foreign:
            return
        with self._taken:
            self.taken += items
            self._taken.notify_all()

    def settle(self, items: int, error: str | None) -> None:
        """An export of `items` ended: without error, or with one."""
        if self.foreign:
            return
        with self._lock:
            was_failing, self.failing = self.failing, error is not None
            if error is None:
                self.delivered += items
                self._stall.over()
            else:
                self.failed += items
                if not was_failing:  # what follows, down to "already shut down", follows from the first
                    self.last_error = error
        if error is not None:
            if not was_failing:
                _log.warning(
                    "ticktrace: %s exporter %s (%s) fails: %s",
                    self.signal,
                    self.name,
                    self.destination,
                    error,
                )
            if self.on_loss is not None:
                self.on_loss(items, "export_failed")
        elif was_failing:
            _log.warning(
                "ticktrace: %s exporter %s (%s) works again; %d %s were lost meanwhile",
                self.signal,
                self.name,
                self.destination,
                self.failed,
                _ITEMS[self.signal],
            )

    @property
    def lost(self) -> int:
        """Items offered that never arrived; exact once the exporter has shut down."""
        return max(self.offered - self.delivered, self.failed)

    def describe_loss(self) -> str:
        """The loss in one line, for the log at shutdown."""
        total = max(self.offered, self.delivered + self.failed)
        reasons = []
        if self.dropped:
            reasons.append(f"{self.dropped} found the queue full")
        if self.taken > self.delivered + self.failed:
            reasons.append("the last export was not answered in time")
        if self.last_error:
            reasons.append(f"error: {self.last_error}")
        why = "".join(f"; {reason}" for reason in reasons)
        return f"{self.lost} of {total} {_ITEMS[self.signal]} did not reach {self.name} ({self.destination}){why}"


def _outcome(inner: object, *, succeeded: bool) -> str | None:
    """None for a success, else why it failed; our OTLP exporters know, others only say that they did."""
    if succeeded:
        return None
    return getattr(inner, "last_error", None) or "the exporter reported failure"


class _Paced(list["ReadableSpan"]):
    """Spans; whoever goes through them, as an exporter does to encode them, makes a pause after every few.

    Encoding 512 spans takes some 20 ms, and CPython would let the trading thread in every 5 ms only.
    """

    def __iter__(self) -> Iterator[ReadableSpan]:
        for start in range(0, len(self), _SPANS_AT_ONCE):
            if start:
                sleep(_PAUSE_SECONDS)
            yield from self[start : start + _SPANS_AT_ONCE]


class GuardedSpanExporter(SpanExporter):
    """A span exporter behind its account.

    Args:
        inner: the exporter.
        delivery: the account.
        gently: whether it gets spans that are gone through with pauses.
        scrub: takes secrets out of a span, and never raises; None for leaving them as they are.
    """

    def __init__(
        self,
        inner: SpanExporter,
        delivery: Delivery,
        *,
        gently: bool = False,
        scrub: Callable[[ReadableSpan], ReadableSpan] | None = None,
    ) -> None:
        self._inner = inner
        self._gently = gently
        self._scrub = scrub
        self.delivery = delivery

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, count, and never raise."""
        if self.delivery.foreign:
            return SpanExportResult.SUCCESS
        self.delivery.take(len(spans))
        try:
            spans = self._scrubbed(spans)
            result = self._inner.export(_Paced(spans) if self._gently else spans)
        except _ANYTHING as error:
            self.delivery.settle(len(spans), f"{type(error).__name__}: {error}")
            return SpanExportResult.FAILURE
        self.delivery.settle(len(spans), _outcome(self._inner, succeeded=result is SpanExportResult.SUCCESS))
        return result

    def _scrubbed(self, spans: Sequence[ReadableSpan]) -> Sequence[ReadableSpan]:
        if self._scrub is None:
            return spans
        scrubbed: list[ReadableSpan] = []
        for start in range(0, len(spans), _SPANS_AT_ONCE):
            if start and self._gently:
                sleep(_PAUSE_SECONDS)
            scrubbed += map(self._scrub, spans[start : start + _SPANS_AT_ONCE])
        return scrubbed

    def shutdown(self) -> None:
        """Shut the exporter down, which also ends an export that hangs where the exporter can."""
        if not self.delivery.foreign:
            self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self.delivery.foreign or self._inner.force_flush(timeout_millis)


class GuardedLogExporter(LogRecordExporter):
    """A log exporter behind its account.

    Args:
        inner: the exporter.
        delivery: the account.
        scrub: takes secrets out of a record, and never raises; None for leaving them as they are.
    """

    def __init__(
        self,
        inner: LogRecordExporter,
        delivery: Delivery,
        scrub: Callable[[ReadableLogRecord], ReadableLogRecord] | None = None,
    ) -> None:
        self._inner = inner
        self._scrub = scrub
        self.delivery = delivery

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export, count, and never raise."""
        if self.delivery.foreign:
            return LogRecordExportResult.SUCCESS
        self.delivery.take(len(batch))
        try:
            result = self._inner.export(batch if self._scrub is None else [*map(self._scrub, batch)])
        except _ANYTHING as error:
            self.delivery.settle(len(batch), f"{type(error).__name__}: {error}")
            return LogRecordExportResult.FAILURE
        self.delivery.settle(
            len(batch), _outcome(self._inner, succeeded=result is LogRecordExportResult.SUCCESS)
        )
        return result

    def shutdown(self) -> None:
        """Shut the exporter down."""
        if not self.delivery.foreign:
            self._inner.shutdown()  # type: ignore[no-untyped-call]  # upstream leaves it untyped

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self.delivery.foreign or self._inner.force_flush(timeout_millis)


class GuardedMetricExporter(MetricExporter):
    """A push metric exporter behind its account; an item is one export of all metrics."""

    def __init__(self, inner: MetricExporter, delivery: Delivery) -> None:
        super().__init__(
            preferred_temporality=inner._preferred_temporality,  # noqa: SLF001  the reader reads it so, too
            preferred_aggregation=inner._preferred_aggregation,  # noqa: SLF001
        )
        self._inner = inner
        self.delivery = delivery

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Export, count, and never raise."""
        if self.delivery.foreign:
            return MetricExportResult.SUCCESS
        self.delivery.offer()
        self.delivery.take(1)
        try:
            result = self._inner.export(metrics_data, timeout_millis=timeout_millis, **kwargs)
        except _ANYTHING as error:
            self.delivery.settle(1, f"{type(error).__name__}: {error}")
            return MetricExportResult.FAILURE
        self.delivery.settle(1, _outcome(self._inner, succeeded=result is MetricExportResult.SUCCESS))
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush the exporter."""
        return self.delivery.foreign or self._inner.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Shut the exporter down."""
        if not self.delivery.foreign:
            self._inner.shutdown(timeout_millis=timeout_millis, **kwargs)
