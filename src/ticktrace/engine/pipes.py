"""A pipe carries one signal to one exporter: queue, guard, account and attendant in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from ticktrace.engine.attendant import Attendant, Deadline, Request, wait_for_all
from ticktrace.engine.barrier import attempt
from ticktrace.engine.delivery import Delivery, GuardedLogExporter, GuardedSpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from ticktrace.engine.patience import Stall
    from ticktrace.settings import QueueSettings

__all__ = ["NamedTarget", "Pipe", "flush_all", "log_pipe", "metric_pipe", "shut_down_all", "span_pipe"]

T_co = TypeVar("T_co", covariant=True)

_LAST_EXPORT_SHARE = 0.8  # of the deadline goes to the last export, the rest to ending what hangs
_GENTLE_BATCH = 128  # measured: OTLP puts 512 encoded spans into one message within a call of 3.4 ms
_FAILING_SECONDS = 1.0  # a peer that refused until now gets this long to change its mind


class NamedTarget(Protocol, Generic[T_co]):
    """An exporter or reader with its configured name and where it sends."""

    @property
    def name(self) -> str:
        """The name in the settings."""

    @property
    def target(self) -> T_co:
        """The exporter or reader itself."""

    @property
    def destination(self) -> str:
        """Where it sends, for messages."""


class Pipe:
    """One signal's way to one exporter."""

    def __init__(
        self,
        delivery: Delivery,
        flush: Callable[[float], object],
        shutdown: Callable[[float], object],
        abort: Callable[[], object],
        silence: Callable[[], object] | None = None,
    ) -> None:
        self.delivery = delivery
        self._flush = flush
        self._shutdown = shutdown
        self._abort = abort
        self._silence = silence
        self._attendant = Attendant(f"{delivery.signal}-{delivery.name}")

    def flush(self, seconds: float) -> Request:
        """Start sending what is queued; the request succeeds when all of it was accepted."""

        def call() -> bool:
            failed = self.delivery.failed
            self._flush(seconds)
            return self.delivery.failed == failed

        return self._attendant.ask(call)

    def shutdown(self, seconds: float) -> Request:
        """Start sending what is left and closing the exporter."""

        def call() -> bool:
            self._shutdown(seconds)
            return True

        request = self._attendant.insist(call)
        self._attendant.dismiss()
        return request

    def abort(self) -> bool:
        """Close the exporter under an export that hangs."""
        self._abort()
        return True

    def silence(self) -> None:
        """In a forked child, where the attendant does not exist: end the thread that the SDK has restarted there."""
        if self._silence is not None:
            attempt("pipe.silence", self._silence)


def flush_all(pipes: Sequence[Pipe], seconds: float) -> bool:
    """Flush all pipes side by side within `seconds`; True when all that was queued was accepted."""
    deadline = Deadline(seconds)
    seconds = deadline.remaining()
    return wait_for_all([pipe.flush(seconds) for pipe in pipes], deadline)


def shut_down_all(
    pipes: Sequence[Pipe], seconds: float, aborter: Attendant, others: Callable[[], Iterable[Request]] = tuple
) -> bool:
    """Shut all pipes down, and start and await the `others`, side by side within `seconds`.

    Most of the time goes to the last exports. What has not ended by then is closed under them, by `aborter`.

    Returns:
        True when each ended in time and lost nothing.
    """
    deadline = Deadline(seconds)
    seconds = deadline.remaining()
    patience = seconds * _LAST_EXPORT_SHARE
    limits = {pipe: min(patience, _FAILING_SECONDS) if pipe.delivery.failing else patience for pipe in pipes}
    requests = {pipe: pipe.shutdown(limit) for pipe, limit in limits.items()}
    more = others()
    for pipe in sorted(pipes, key=limits.__getitem__):
        spent = seconds - deadline.remaining()
        if not requests[pipe].wait(max(0.0, limits[pipe] - spent)):
            aborter.insist(pipe.abort)
    aborter.dismiss()
    ended = wait_for_all([*requests.values(), *more], deadline)
    return ended and not any(pipe.delivery.lost for pipe in pipes)


class _CountedSpans(BatchSpanProcessor):
    """The SDK's batch processor, with a count of what it was given."""

    delivery: Delivery

    def on_end(self, span: ReadableSpan) -> None:
        sampled = span.context is not None and span.context.trace_flags.sampled
        if sampled and self.delivery.offer():
            super().on_end(span)


class _CountedLogs(BatchLogRecordProcessor):
    """The SDK's batch processor, with a count of what it was given."""

    delivery: Delivery

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        if self.delivery.offer():
            super().on_emit(log_record)


def span_pipe(
    named: NamedTarget[SpanExporter],
    queue: QueueSettings,
    stall: Stall | None = None,
    *,
    gently: bool = False,
    scrub: Callable[[ReadableSpan], ReadableSpan] | None = None,
) -> tuple[SpanProcessor, Pipe]:
    """The span processor for an exporter, and its pipe. In-memory capture is immediate, all else is batched.

    Args:
        named: the exporter.
        queue: the bounds of its queue.
        stall: of the threads that end spans, should it be full; by default it then drops.
        gently: export in small batches and with pauses, so that the exporting thread does not hold the GIL for long.
        scrub: takes secrets out of a span.
    """
    immediately = named.name == "memory"
    room = None if immediately else queue.max_queue_size
    delivery = Delivery("traces", named.name, named.destination, room, stall)
    guard = GuardedSpanExporter(named.target, delivery, gently=gently, scrub=scrub)
    if immediately:
        immediate = SimpleSpanProcessor(guard)
        return immediate, _pipe(delivery, immediate, guard)
    batch = queue.max_export_batch_size
    processor = _CountedSpans(
        guard,
        max_queue_size=queue.max_queue_size,
        max_export_batch_size=min(batch, _GENTLE_BATCH) if gently else batch,
        schedule_delay_millis=queue.schedule_delay * 1e3,
    )
    processor.delivery = delivery
    return processor, _pipe(delivery, processor, guard)


def log_pipe(
    named: NamedTarget[LogRecordExporter],
    queue: QueueSettings,
    scrub: Callable[[ReadableLogRecord], ReadableLogRecord] | None = None,
) -> tuple[LogRecordProcessor, Pipe]:
    """The log record processor for an exporter, and its pipe; see `span_pipe`.

    Its queue is never waited for: `logging` holds a lock meanwhile, which the exporting thread may need to say something.
    """
    immediately = named.name == "memory"
    room = None if immediately else queue.max_queue_size
    delivery = Delivery("logs", named.name, named.destination, room)
    guard = GuardedLogExporter(named.target, delivery, scrub)
    if immediately:
        immediate = SimpleLogRecordProcessor(guard)
        return immediate, _pipe(delivery, immediate, guard)
    processor = _CountedLogs(
        guard,
        max_queue_size=queue.max_queue_size,
        max_export_batch_size=queue.max_export_batch_size,
        schedule_delay_millis=queue.schedule_delay * 1e3,
    )
    processor.delivery = delivery
    return processor, _pipe(delivery, processor, guard)


class _Closable(Protocol):
    @property
    def force_flush(self) -> Callable[[], object]: ...
    @property
    def shutdown(self) -> Callable[[], object]: ...


def _pipe(delivery: Delivery, processor: _Closable, guard: GuardedSpanExporter | GuardedLogExporter) -> Pipe:
    batched = isinstance(processor, _CountedSpans | _CountedLogs)
    return Pipe(
        delivery,
        lambda _: processor.force_flush(),
        lambda _: processor.shutdown(),
        guard.shutdown,
        processor.shutdown if batched else None,
    )


def metric_pipe(
    named: NamedTarget[MetricReader], delivery: Delivery | None, abort: Callable[[], object]
) -> Pipe:
    """The pipe of a metric reader; `delivery` is the account of the push exporter behind it, if there is one."""
    reader = named.target

    def shutdown(seconds: float) -> None:
        reader.shutdown(timeout_millis=seconds * 1e3)

    def flush(seconds: float) -> None:
        reader.force_flush(timeout_millis=seconds * 1e3)

    def silence() -> None:
        if isinstance(reader, PeriodicExportingMetricReader) and not reader._shutdown:  # noqa: SLF001  it warns else
            shutdown(0.0)

    account = delivery or Delivery("metrics", named.name, named.destination)
    return Pipe(account, flush, shutdown, abort, silence)
