"""How the measurements of a series wait: added up, the last one only, or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics._internal.aggregation import _LastValueAggregation, _SumAggregation

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.aggregate import feed
from ticktrace.engine.deferred.chunk import is_valid, sift
from ticktrace.engine.deferred.intake import FRESH, bounded, last_value, total
from ticktrace.engine.deferred.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.engine.deferred.chunk import Chunk

__all__ = ["PIECE", "BufferedSeries", "LastSeries", "TotalSeries"]

PIECE: Final = 1024
"""So many values are aggregated at a time, some 50 µs: as long as the one who trips a buffer's bound is held up."""

_BRIEFLY_SECONDS: Final = (
    0.05  # at most so long the trading thread waits, where it has to; a lock is held for 50 µs
)
_BUSY_FACTOR: Final = (
    16  # while another thread drains, a buffer may grow to so many times its bound before it loses
)


class TotalSeries(Series):
    """Only sums are asked of it: it adds up as it goes."""

    __slots__ = ("_takes",)

    def _make_record(self) -> Callable[[Any], None]:
        record, self._takes = total(self._low, self._add_other, len(self._feeding.lanes))
        return record

    def accepts(self, kind: type) -> bool:
        """Sums."""
        return kind is _SumAggregation

    def settle(self, lane: int) -> None:
        """See `Series`."""
        lock = self._enter()
        if lock is not None:
            try:
                self._hand_over(lane)
            finally:
                self._leave(lock)

    def _hand_over(self, lane: int) -> None:
        taken = self._takes[lane]()
        if taken is not FRESH and self._listening():
            self._give(self._feeding.lanes[lane], lambda aggregation: aggregation.add_total(taken))

    def _add_other(self, value: Any) -> None:
        """Add what must not get into the cell, or reject it. On the recording thread: raises nothing."""
        try:
            if type(value) is bool:
                self.record(int(value))
            elif not is_valid(value, self._low):
                self._reject(value)
            elif not self._add_apart(value):
                self._feeding.on_dropped("buffer_full", 1)
        except Exception as error:  # noqa: BLE001  telemetry never raises into the bot
            report("metrics.add", error)

    def _add_apart(self, value: Any) -> bool:
        lock = self._enter_on_trading_thread()
        if lock is None:
            return False
        try:
            for lane, storages in enumerate(self._feeding.lanes):
                self._hand_over(lane)  # first what came first
                if self._listening():
                    self._give(storages, lambda aggregation: aggregation.add_one(value))
        finally:
            self._leave(lock)
        return True


class LastSeries(Series):
    """Only last values are asked of it: it keeps one."""

    __slots__ = ("_take",)

    def _make_record(self) -> Callable[[Any], None]:
        record, self._take = last_value(self._low, self._reject)
        return record

    def accepts(self, kind: type) -> bool:
        """Last values."""
        return kind is _LastValueAggregation

    def settle(self, lane: int) -> None:  # noqa: ARG002  one cell serves all lanes
        """See `Series`."""
        lock = self._enter()
        if lock is None:
            return
        try:
            taken = self._take()
            if taken is not FRESH and self._listening():
                for storages in self._feeding.lanes:
                    self._give(storages, lambda aggregation: aggregation.set_last(taken))
        finally:
            self._leave(lock)


class BufferedSeries(Series):
    """Histograms, or several kinds of aggregation: it keeps every value until it is drained.

    Attributes:
        recent: whether its values are to be kept for statistics, too.
    """

    __slots__ = ("_buffer", "_limit", "_piece", "recent")

    def _make_record(self) -> Callable[[Any], None]:
        self.recent: bool = False
        self._buffer: list[Any] = []
        self._limit = limit = self._feeding.buffer_size
        # Not more than the bound: what is dropped behind it can then not be in the piece that is being taken.
        self._piece = PIECE if limit is None else min(PIECE, limit)
        return self._buffer.append if limit is None else bounded(self._buffer, limit, self._trip)

    def accepts(self, kind: type) -> bool:  # noqa: ARG002  whole values serve everything
        """Everything."""
        return True

    def record_many(self, values: Sequence[Any]) -> None:
        """Record all of the values; the bound is looked at once, and may be overrun by them meanwhile."""
        self._buffer.extend(values)
        limit = self._limit
        if limit is not None:
            for _ in range(self.pieces()):
                if len(self._buffer) < limit or not self._trip():
                    return

    def idle_since(self, moment: float) -> bool:
        """See `Series`."""
        return self.written_at <= moment and not self._buffer

    def _trip(self) -> bool:
        """Make room on the recording thread, which must see no exception; False when that cannot be."""
        lock = self._enter(0)
        if lock is None:
            lock = self._enter_on_trading_thread(self._overrun)  # only producers who never rest get so far
        if lock is None:
            if self._hopeless():
                self._lose()
            return False
        try:
            self._drain_piece()
            self._feeding.wake()
        except Exception as error:  # noqa: BLE001  telemetry never raises into the bot
            report("metrics.drain", error)
        finally:
            self._leave(lock)
        return True

    def _overrun(self) -> int:
        """By how many values the buffer has grown beyond what is borne while another thread drains."""
        return max(len(self._buffer) - (self._limit or 0) * _BUSY_FACTOR, 0)

    def _lose(self) -> None:
        excess, lost = self._overrun(), 0
        try:
            while lost < excess:
                self._buffer.pop()
                lost += 1
        except IndexError:  # it has been drained meanwhile
            pass
        if lost:
            self._feeding.on_dropped("buffer_full", lost)

    def drain(self) -> None:
        """Aggregate a piece of what waits."""
        if not self._buffer:
            return
        lock = self._enter()
        if lock is not None:
            try:
                self._drain_piece()
            finally:
                self._leave(lock)

    def settle(self, lane: int) -> None:  # noqa: ARG002  a buffer is drained for all readers at once
        """See `Series`."""
        left = None
        while left is None or left > 0:
            lock = self._enter()  # also where nothing waits: another thread may have a piece in its hands
            if lock is None:
                return
            try:
                # What waits now; not until it is empty, for producers may keep up with who drains.
                left = self.pieces() if left is None else left
                self._drain_piece()
                left -= 1
            finally:
                self._leave(lock)

    def pieces(self) -> int:
        """How many pieces wait now."""
        return -(-len(self._buffer) // self._piece)

    def _drain_piece(self) -> None:
        # Others may append meanwhile, which never moves what is in front.
        values = self._buffer[: self._piece]
        del self._buffer[: len(values)]
        if not values or not self._listening():
            return
        chunk, rejected = sift(values, self._low)
        if rejected:
            self._reject(*rejected)
        if chunk is not None:
            for storages in self._feeding.lanes:
                self._give(storages, lambda aggregation: feed(aggregation, chunk))
            if self.recent:
                self._keep(chunk)

    def _keep(self, chunk: Chunk) -> None:
        recent = self._feeding.recent
        if recent is not None:
            values = chunk.values if chunk.array is None else chunk.array
            recent.add(self._instrument.name, self.attributes, values)
