"""`measure`: time a block, a function or an awaitable.

The hot path is two readings of the clock and one call of a bound histogram; labels are resolved once for each name and
attributes. A fresh object keeps the start of its block in a slot of its own. An object that is used again while it is in
use (recursion, other tasks, other threads) keeps the starts of the further blocks in a context variable, which each task
and thread has for itself: measured with nothing but a no-op behind it 620 ns instead of 350. On the deferred engine, on two
shared cores, a kept object costs its caller 450 ns, the record and two readings of the clock included, and `measure(...)` in
place with one label 950.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, overload

from ticktrace.engine import report
from ticktrace.measuring._functions import timed
from ticktrace.measuring._sites import Duration, current_target, duration_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable
    from types import TracebackType

__all__ = ["Measure", "measure", "measure_async"]

P = ParamSpec("P")
R = TypeVar("R")

_MOST_CALLS: Final = 4_096  # names with their attributes, as calls spell them, that are remembered

_known: dict[Hashable, Duration] = {}


class _Block:
    """A block of a `Measure` that was in use already."""

    __slots__ = ("measure", "outer", "started")

    def __init__(self, measure: Measure, started: int, outer: _Block | None) -> None:
        self.measure = measure
        self.started = started  # 0 once it has ended: a task that began inside it still has it in its context
        self.outer = outer


_innermost: ContextVar[_Block | None] = ContextVar("ticktrace-measure", default=None)


class Measure:
    """Times what runs in ``with`` or ``async with``, or each call of a function that it decorates; made by `measure`.

    It may be kept and used any number of times, also by several tasks and threads at once and by recursion. Only blocks
    that overlap *without* nesting in one and the same task need an object each, as a block around the ``yield`` of a
    generator does: there write ``with measure(...)``.
    """

    # CPython hands the GIL over only after a call, at a backward jump or at the start of a function. So nothing comes
    # between looking at `_started` and setting it, nor inside `+=`, and threads need no lock here.
    __slots__ = ("_others", "_site", "_started")

    def __init__(self, site: Duration) -> None:
        self._site = site
        self._started = 0  # of the block that keeps its start here; 0 when none does
        self._others = 0  # blocks that keep theirs in the context variable

    def __enter__(self, now: Callable[[], int] = perf_counter_ns) -> Self:
        started = now()
        if self._started == 0 and self._others == 0:
            self._started = started
        else:
            self._others += 1
            _innermost.set(_Block(self, started, _innermost.get()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        now: Callable[[], int] = perf_counter_ns,
    ) -> None:
        ended = now()
        started = 0
        if self._others:
            started = self._leave()
        if started == 0:
            started = self._started
            self._started = 0
            if started == 0:
                _lost()
                return
        try:
            if error is None:
                self._site.write((ended - started) * 1e-9)
            else:
                self._site.failed((ended - started) * 1e-9, error)
        except Exception as fault:  # noqa: BLE001  telemetry never raises into trading
            report("measure.exit", fault)

    def _leave(self) -> int:
        """End this context's innermost block of this object, and tell when it began; 0 when it is not among them."""
        top = block = _innermost.get()
        while block is not None and (block.measure is not self or block.started == 0):
            block = block.outer
        if block is None:
            return 0
        started, block.started = block.started, 0
        self._others -= 1
        while (
            top is not None and top.started == 0
        ):  # blocks that ended, here or in the task that began this one
            top = top.outer
        _innermost.set(top)
        return started

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function so that each call of it is timed.

        Of a coroutine function the time until its result is there is taken; of a generator, plain or asynchronous, the
        time from its first step until it ends, what its consumer does in between included.

        Raises:
            TypeError: `function` cannot be called.
        """
        return timed(function, self._site, lambda _args, _kwargs: Measure(self._site))


def _lost() -> None:
    """A block ended elsewhere than it began, as where a generator is closed in another task: its start is not known."""
    target = current_target()
    if target is not None:
        target.dropped("left_elsewhere")


def measure(name: str, /, **attributes: Any) -> Measure:
    """Time a piece of code: as a context manager a block, as a decorator each call of a function.

    Records a histogram in seconds, with ``error.type`` when an exception leaves the block. Works before
    `setup_telemetry` (nothing is recorded until then), after a shutdown (nothing is any more) and in forked children.

    Args:
        name: a duration of the catalog by any of its names, which is then recorded with the attributes that it allows;
            anything else is the name of a piece of code, one of few, and recorded as ``ticktrace.measure.name`` of
            ``ticktrace.measure.duration``.
        attributes: labels, by bare words (``symbol``, ``strategy``, ``component``) or, as ``**{"trading.symbol": …}``, by
            key. Those that the instrument does not allow are left out with a warning.

    Returns:
        What times; keep it where a hot loop would otherwise look it up each time.

    Example:
        >>> from ticktrace import measure
        >>> @measure("rebalance", strategy="momentum")
        ... def rebalance():
        ...     with measure("rebalance.fetch"):
        ...         pass
        >>> rebalance()
    """
    try:
        return Measure(_known[(name, *attributes.items()) if attributes else name])
    except (KeyError, TypeError):
        return Measure(_look_up(name, attributes))


def _look_up(name: str, attributes: dict[str, Any]) -> Duration:
    site = duration_of(name, attributes)
    try:
        if len(_known) < _MOST_CALLS:
            _known[(name, *attributes.items()) if attributes else name] = site
    except TypeError:  # an attribute that cannot be hashed
        pass
    return site


@overload
def measure_async(name: str, awaitable: Awaitable[R], /, **attributes: Any) -> Coroutine[Any, Any, R]: ...
@overload
def measure_async(name: str, /, **attributes: Any) -> Measure: ...
def measure_async(
    name: str, awaitable: Awaitable[R] | None = None, /, **attributes: Any
) -> Coroutine[Any, Any, R] | Measure:
    """Time an awaitable; without one it is `measure`, to be written above a coroutine function.

    Example:
        >>> import asyncio
        >>> from ticktrace import measure_async
        >>> async def fetch():
        ...     return await measure_async("fetch.answer", asyncio.sleep(0, "answer"))
        >>> asyncio.run(fetch())
        'answer'

    Args:
        name: see `measure`.
        awaitable: a coroutine, task or future. Its time begins when the result of this call is awaited.
        attributes: see `measure`.

    Returns:
        A coroutine that gives the awaitable's result, or raises what it raises.
    """
    if awaitable is None:
        return measure(name, **attributes)
    return _awaited(measure(name, **attributes), awaitable)


async def _awaited(measured: Measure, awaitable: Awaitable[R]) -> R:
    with measured:
        return await awaitable
