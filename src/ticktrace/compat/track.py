"""`track_duration`, `track_call_count`, `track_metric`: decorators with labels taken from the arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from ticktrace.catalog import Kind
from ticktrace.compat._arguments import ArgumentLabels, constant_labels
from ticktrace.compat._names import duration_named, written
from ticktrace.engine import report
from ticktrace.errors import CatalogError
from ticktrace.measuring import Measure, duration_site, site_of, within

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.compat._arguments import Labels

__all__ = ["DurationTracker", "track_call_count", "track_duration", "track_duration_context", "track_metric"]

P = ParamSpec("P")
R = TypeVar("R")


class DurationTracker:
    """Times calls as a decorator, or blocks in ``with`` and ``async with``; made by `track_duration`."""

    def __init__(self, spec: InstrumentSpec, labels: Labels) -> None:
        self._spec = spec
        self._labels = labels
        fixed = labels if isinstance(labels, Mapping) else {}
        # A block has no arguments that labels could be taken from.
        known = constant_labels(spec, {label: value for label, value in fixed.items() if not callable(value)})
        self._block = Measure(duration_site(spec, known))

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, of whichever kind; see `ticktrace.measuring.Measure`."""
        spec, labels = self._spec, ArgumentLabels(self._spec, self._labels, function)
        return within(function, lambda args, kwargs: Measure(duration_site(spec, labels.of(args, kwargs))))

    def __enter__(self) -> Self:
        self._block.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def track_duration(name: str, labels: Labels = None) -> DurationTracker:
    """Time each call of a function: ``@track_duration("strategy_evaluation_duration_seconds", labels=["strategy"])``.

    Args:
        name: a histogram of seconds, by its old name, its name in Prometheus or its own.
        labels: names of parameters whose values become labels of the same name (``"signal.symbol"`` takes an attribute);
            or a mapping of labels to constants, or to functions of the call's arguments. Words beyond the limits become
            ``other``.

    Raises:
        CatalogError: there is no such duration or label. A parameter that does not exist is a `TypeError` when decorating.
    """
    return DurationTracker(duration_named(name), labels)


def track_duration_context(name: str, labels: Mapping[str, Any] | None = None) -> Measure:
    """Time a block, with labels that are known beforehand.

    Example:
        >>> from ticktrace.compat import track_duration_context
        >>> with track_duration_context("trade_execution_duration_seconds", labels={"strategy": "sma"}):
        ...     pass

    Raises:
        CatalogError: there is no such duration or label.
    """
    spec = duration_named(name)
    return Measure(duration_site(spec, constant_labels(spec, labels)))


def track_call_count(name: str, labels: Labels = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Count the calls of a function, when they end: with ``error.type``, where the counter has it, if they raised.

    Args:
        name: a counter, by its old name, its name in Prometheus or its own.
        labels: see `track_duration`.

    Raises:
        CatalogError: there is no such counter or label.
    """
    spec = written(name).spec
    if spec.kind is not Kind.COUNTER:
        raise CatalogError(f"{name} is {spec.name}, a {spec.kind.value.replace('_', ' ')} and no counter")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        taken = ArgumentLabels(spec, labels, function)
        return within(function, lambda args, kwargs: _Counted(spec, taken.of(args, kwargs)))

    return decorate


def track_metric(
    name: str, labels: Labels = None, *, value: Callable[[Any], float] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record what a function returns: set a gauge to it, observe it on a histogram, add it to a counter.

    A counter without `value` counts calls, as `track_call_count` does. Nothing is recorded when the call raises or returns
    None.

    Args:
        name: any instrument that applications record.
        labels: see `track_duration`.
        value: makes the number to record of what was returned; itself by default.

    Raises:
        CatalogError: there is no such instrument or label.
    """
    spec, factor = written(name)
    if spec.kind is Kind.COUNTER and value is None:
        return track_call_count(name, labels)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        taken = ArgumentLabels(spec, labels, function)

        def record(result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            try:
                number = result if value is None else value(result)
                if number is not None:
                    site_of(spec, taken.of(args, kwargs)).write(float(number) * factor)
            except Exception as error:  # noqa: BLE001  the result may be any object
                report("track_metric", error)

        return _returned(function, record)

    return decorate


def _returned(
    function: Callable[P, R], record: Callable[[Any, tuple[Any, ...], Mapping[str, Any]], None]
) -> Callable[P, R]:
    """Give `record` what each call of `function` returned, and its arguments."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} is a generator: what it returns is no figure")
    called = getattr(function, "__call__", None)  # noqa: B004  not whether, but whether it is a coroutine function
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):

        @wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            result = await cast("Callable[..., Any]", function)(*args, **kwargs)
            record(result, args, kwargs)
            return result

        return cast("Callable[P, R]", asynchronous)

    @wraps(function)
    def synchronous(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        record(result, args, kwargs)
        return result

    return synchronous


class _Counted:
    """Counts one when its block ends."""

    __slots__ = ("_given", "_spec")

    def __init__(self, spec: InstrumentSpec, given: Mapping[str, Any]) -> None:
        self._spec = spec
        self._given = given

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            site_of(self._spec, self._given).with_error(error).write(1)
        except Exception as fault:  # noqa: BLE001  the barrier
            report("track_call_count", fault)
