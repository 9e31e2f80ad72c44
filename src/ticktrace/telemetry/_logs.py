"""The standard library's log records as OTel log records, where the settings ask for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from ticktrace.engine import report
from ticktrace.errors import MissingExtraError
from ticktrace.telemetry._trace_ids import JOINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import LoggerProvider

    from ticktrace.settings import Settings

__all__ = ["capture_logs"]


_log = logging.getLogger("ticktrace")

# Each stands for the logger of that name and all below it.
_OWN = ("opentelemetry.", "ticktrace.", "urllib3.", "grpc.")


class _NotOurOwn(logging.Filter):
    """Keeps out what exporters and this package say of themselves, which would feed on itself.

    Known by their loggers' names, and other people's exporters by when they say it: while they export, OpenTelemetry's
    processors and readers mark the context.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return not f"{record.name}.".startswith(_OWN) and not get_value(_SUPPRESS_INSTRUMENTATION_KEY)


def capture_logs(settings: Settings, provider: LoggerProvider) -> Callable[[], None]:
    """Attach OpenTelemetry's logging handler to the root logger, at the level of the settings.

    Returns:
        What undoes it.

    Raises:
        MissingExtraError: the logging instrumentation is not installed and was asked for by name.
    """

    def nothing() -> None:
        pass

    if not settings.captures_logs:
        return nothing
    try:
        from opentelemetry.instrumentation.logging.handler import LoggingHandler  # noqa: PLC0415  optional
    except ImportError:
        missing = MissingExtraError("logs.capture", "logging")
        if settings.logs.capture:
            raise missing from None
        _log.warning("ticktrace: %s; only what OpenTelemetry's logs API is given is exported", missing)
        return nothing

    class Handler(LoggingHandler):
        """OpenTelemetry's handler, less what would disturb the bot."""

        def emit(self, record: logging.LogRecord) -> None:
            try:
                super().emit(record)
            except Exception as error:  # noqa: BLE001  e.g. arguments that do not fit the message
                report("logs.capture", error)

        def _get_attributes(self, record: logging.LogRecord) -> tuple[dict[str, Any], str | None]:
            """Less the ids: the exported record has them where they belong."""
            attributes, event = super()._get_attributes(record)
            for name in JOINED:
                attributes.pop(name, None)
            return attributes, event

        def flush(self) -> None:
            """Nothing: the telemetry handle flushes. The original starts a thread, at exit of all times."""

    handler = Handler(level=logging.getLevelName(settings.logs.level), logger_provider=provider)
    handler.addFilter(_NotOurOwn())
    root = logging.getLogger()
    root.addHandler(handler)

    def undo() -> None:
        root.removeHandler(handler)

    return undo
