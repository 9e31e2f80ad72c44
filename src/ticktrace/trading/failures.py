"""Errors of the application: counted all, put on the span, and logged as often as somebody can read."""

from __future__ import annotations

import logging
import uuid
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, Self, TypeVar

from opentelemetry._logs import SeverityNumber
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.trace import Status, StatusCode, get_current_span

from ticktrace import semconv
from ticktrace.engine import attempt, report, text_of, warn_once
from ticktrace.trading._decorate import staged
from ticktrace.trading._gate import ErrorKind, Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from opentelemetry._logs import Logger

    from ticktrace.trading._recorder import Recorder

__all__ = ["ErrorBlock", "Failures", "Severity"]

P = ParamSpec("P")
R = TypeVar("R")

Severity = Literal["debug", "info", "warning", "error", "critical"]

# Not below ours that are left out of captured logs: nothing is exported twice.
_log = logging.getLogger("ticktrace.errors")

_SEVERITIES: Final[Mapping[str, tuple[SeverityNumber, int]]] = {
    "debug": (SeverityNumber.DEBUG, logging.DEBUG),
    "info": (SeverityNumber.INFO, logging.INFO),
    "warning": (SeverityNumber.WARN, logging.WARNING),
    "error": (SeverityNumber.ERROR, logging.ERROR),
    "critical": (SeverityNumber.FATAL, logging.CRITICAL),
}
_MARK: Final = "__ticktrace_recorded__"
_MOST: Final = 2**63  # OTLP has 64 bits for a whole number


class ErrorBlock:
    """Records what leaves the block, for ``with``, ``async with``, or as a decorator; made by `Telemetry.errors`.

    It may be entered as often as one likes, also at once from several tasks.
    """

    __slots__ = ("_attributes", "_component", "_failures", "_severity", "_suppress")

    def __init__(
        self,
        failures: Failures,
        component: str,
        severity: Severity,
        suppress: tuple[type[BaseException], ...],
        attributes: Mapping[str, Any],
    ) -> None:
        self._failures = failures
        self._component = component
        self._severity: Severity = severity
        self._suppress = suppress
        self._attributes = attributes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):  # a cancelled task, a closed generator, the end of the program
            return False
        self._failures.record(error, self._component, self._severity, attributes=self._attributes)
        return isinstance(error, self._suppress)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, plain or asynchronous. What it suppresses gives None instead.

        Raises:
            TypeError: it is a generator, whose body runs after the call has returned.
        """
        return staged(function, lambda _args, _kwargs: self)


class Failures:
    """Records errors; reached through `Telemetry.error` and `Telemetry.errors`. Thread-safe.

    Each is counted in ``trading.errors``, an exception also in ``trading.exceptions``, a critical one in
    ``trading.critical_errors``; it becomes an event of the current span, a log record of OpenTelemetry's (event
    ``trading.error``), and a line of the logger ``ticktrace.errors``, which is not exported. Of the same kind
    (component, class, place) five records are written at once and five a minute; the next one tells how many were not.
    """

    def __init__(self, recorder: Recorder, logger: Logger) -> None:
        self._recorder = recorder
        self._logger = logger
        self._gate = Gate()
        self._token = uuid.uuid4().hex

    def record(
        self,
        error: BaseException | str,
        component: str,
        severity: Severity = "error",
        *,
        error_type: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        say: bool = True,
    ) -> bool:
        """Record an error. Never raises.

        Args:
            error: an exception, or what went wrong in words.
            component: the part of the application, one of few: feed, strategy, execution, …
            severity: how bad it is; ``critical`` is what stops trading or puts money at risk.
            error_type: for ``error.type`` in place of the exception's class; words without one are ``error``.
            attributes: what else is known, for span and log; never on metrics.
            say: also write a line to Python's logging.

        Returns:
            False for an exception that was recorded before, which counts once.
        """
        if not self._recorder.enabled:
            return True
        try:
            return self._record(error, component, _known(severity), error_type, attributes or {}, say=say)
        except Exception as fault:  # noqa: BLE001  the barrier
            report("error", fault)
            return True

    def _record(
        self,
        error: BaseException | str,
        component: str,
        severity: str,
        error_type: str | None,
        given: Mapping[str, Any],
        *,
        say: bool,
    ) -> bool:
        exception = error if isinstance(error, BaseException) else None
        critical = severity == "critical"
        before = None if exception is None else self._mark(exception, severity)
        if before is not None and not (critical and before != "critical"):
            return False  # an inner block had it already
        recorder = self._recorder
        named = _type_of(exception) if error_type is None else text_of(error_type)
        kind = ErrorKind(
            recorder.words.components.label(component),
            recorder.words.errors.label(named),
            None if exception is None else _place(exception),
        )
        labels = {semconv.COMPONENT: kind.component, semconv.ERROR_TYPE: kind.error_type}
        if before is None:
            recorder.counter("errors", labels).add(1)
            if exception is not None:
                recorder.counter("exceptions", labels).add(1)
        if critical:
            recorder.counter("critical_errors", labels).add(1)
        suppressed = self._gate.enter(kind, recorder.now())
        attributes = {
            **{text_of(key): _attribute(value) for key, value in given.items() if value is not None},
            semconv.COMPONENT: text_of(component),
            semconv.ERROR_SEVERITY: severity,
            semconv.ERROR_TYPE: named,
        }
        if exception is not None:
            attributes |= _exception(exception, stack=suppressed is not None)
        attempt("error.span", lambda: _tell_span(error, attributes, severity))
        if suppressed is None:
            recorder.dropped("errors", "rate_limited").add(1)
            return before is None
        if suppressed:
            attributes[semconv.ERROR_SUPPRESSED] = suppressed
        attempt("error.log", lambda: self._emit(error, attributes, severity))
        if say:
            _say(error, component, severity, suppressed)
        return before is None

    def _mark(self, exception: BaseException, severity: str) -> str | None:
        """Remember on an exception that it was recorded; the severity with which it was before, or None.

        On the exception itself, because keeping it elsewhere would keep its frames alive, and most cannot be referred to
        weakly. The token keeps another telemetry, or another process to which it is sent, from taking it for done.
        """
        noted = vars(exception)
        mark = noted.get(_MARK)
        if isinstance(mark, tuple) and mark[0] == self._token:
            if severity == "critical":
                noted[_MARK] = (self._token, severity)
            return text_of(mark[1])
        noted[_MARK] = (self._token, severity)
        return None

    def _emit(self, error: BaseException | str, attributes: Mapping[str, Any], severity: str) -> None:
        self._logger.emit(
            timestamp=self._recorder.clock.wall(),
            severity_number=_SEVERITIES[severity][0],
            severity_text=severity.upper(),
            body=text_of(error) or type(error).__qualname__,
            attributes=attributes,
            event_name=semconv.EVENT_ERROR,
        )

    def block(
        self,
        component: str,
        severity: Severity,
        suppress: type[BaseException] | tuple[type[BaseException], ...],
        attributes: Mapping[str, Any],
    ) -> ErrorBlock:
        """A block whose exceptions are recorded; see `Telemetry.errors`."""
        asked: tuple[object, ...] = suppress if isinstance(suppress, tuple) else (suppress,)
        classes = tuple(kind for kind in asked if isinstance(kind, type) and issubclass(kind, BaseException))
        if len(classes) < len(asked):
            warn_once(
                "errors.suppress", "ticktrace: errors(suppress=%r): only exception classes count", suppress
            )
        return ErrorBlock(self, component, severity, classes, attributes)

    def close(self) -> None:
        """The end: tell how many errors were counted and not logged."""
        untold = self._gate.close()
        if untold:
            said = f"{untold} further errors were counted and not logged"
            attributes = {semconv.ERROR_SUPPRESSED: untold}
            attempt("error.log", lambda: self._emit(said, attributes, "warning"))

    def start_afresh(self) -> None:
        """In a forked child: what the parent left out is the parent's to tell, and its locks may be held for ever."""
        self._gate = Gate()
        self._token = uuid.uuid4().hex


def _known(severity: str) -> str:
    level: object = severity
    if isinstance(level, int) and not isinstance(level, bool):  # one of logging's
        reached = [name for name, (_, least) in _SEVERITIES.items() if level >= least]
        return reached[-1] if reached else "debug"
    word = text_of(severity).strip().lower()
    word = {"fatal": "critical", "warn": "warning"}.get(word, word)
    if word in _SEVERITIES:
        return word
    warn_once(
        f"error.severity.{word:.40}",
        "ticktrace: %r is no severity and counts as error; known: %s",
        text_of(severity),
        ", ".join(_SEVERITIES),
    )
    return "error"


def _type_of(exception: BaseException | None) -> str:
    return "error" if exception is None else type(exception).__qualname__


def _place(exception: BaseException) -> tuple[str, int] | None:
    """File and line where an exception was raised; None when it never was."""
    traceback = exception.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_filename, traceback.tb_lineno


def _attribute(value: Any) -> Any:
    if isinstance(value, int):
        return value if -_MOST <= value < _MOST else str(value)
    return value if isinstance(value, (str, float)) else text_of(value)


def _exception(error: BaseException, *, stack: bool) -> dict[str, str]:
    """An exception as OpenTelemetry has it (semantic conventions, "Exceptions"), also one that cannot be printed."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    noted = {EXCEPTION_TYPE: name, EXCEPTION_MESSAGE: text_of(error)}
    if stack:  # most of the price: it is left out where the same one was written a few times already
        noted[EXCEPTION_STACKTRACE] = "".join(format_exception(error))
    return noted


def _tell_span(error: BaseException | str, attributes: Mapping[str, Any], severity: str) -> None:
    span = get_current_span()
    if not span.is_recording():
        return
    if isinstance(error, BaseException):
        span.add_event("exception", attributes)
    else:
        span.add_event(semconv.EVENT_ERROR, {**attributes, EXCEPTION_MESSAGE: text_of(error)})
    if _SEVERITIES[severity][1] >= logging.ERROR:
        span.set_status(Status(StatusCode.ERROR, f"{attributes[semconv.ERROR_TYPE]}: {text_of(error)}"))


def _say(error: BaseException | str, component: str, severity: str, suppressed: int) -> None:
    try:
        said = text_of(error) or type(error).__qualname__
        more = f" (and {suppressed} like it that were not logged)" if suppressed else ""
        exception = error if isinstance(error, BaseException) else None
        _log.log(_SEVERITIES[severity][1], "%s: %s%s", text_of(component), said, more, exc_info=exception)
    except Exception as fault:  # noqa: BLE001  a handler of the application's
        report("error.say", fault)
