"""Log records without their secrets: OpenTelemetry's before export, and those of `logging` that ticktrace itself writes."""

from __future__ import annotations

import copy
import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from ticktrace.scrubbing.patterns import REDACTED
from ticktrace.scrubbing.spans import scrubbed_attributes

if TYPE_CHECKING:
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

    from ticktrace.scrubbing.scrubber import Scrubber

__all__ = ["LogScrubber", "OwnLogFilter"]

_FORMAT: Final = logging.Formatter()


class LogScrubber:
    """Replaces secrets in bodies, attributes and event names of log records.

    Args:
        scrubber: finds them.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber

    def readable(self, record: ReadableLogRecord) -> ReadableLogRecord:
        """A record on its way to an exporter, without secrets; the same object where it has none. Never raises."""
        inner = self._inner(record)
        return record if inner is record.log_record else dataclasses.replace(record, log_record=inner)

    def writable(self, record: ReadWriteLogRecord) -> ReadWriteLogRecord:
        """A record on its way to a processor; see `readable`."""
        inner = self._inner(record)
        if inner is record.log_record:
            return record
        clean = copy.copy(record)  # its constructor would bound the attributes once more
        clean.log_record = inner
        return clean

    def _inner(self, record: ReadableLogRecord | ReadWriteLogRecord) -> LogRecord:
        noted = record.log_record
        try:
            scrubber = self._scrubber
            body = scrubber.value(noted.body)
            attributes = scrubbed_attributes(scrubber, noted.attributes)
            event = noted.event_name if noted.event_name is None else scrubber.text(noted.event_name)
        except Exception:  # noqa: BLE001  something of the application's: better nothing than a secret
            body, attributes, event = REDACTED, {}, None
        if body is noted.body and attributes is noted.attributes and event is noted.event_name:
            return noted
        clean = copy.copy(noted)
        clean.body, clean.attributes, clean.event_name, clean.exception = body, attributes, event, None
        return clean


class OwnLogFilter(logging.Filter):
    """Replaces secrets in the records of a logger before any handler sees them, exceptions and their causes included.

    For ticktrace's own loggers, which tell what others told them: an exporter's error with the URL it was sent to. An
    application's records are its own; they are only scrubbed on their way into telemetry.

    Args:
        scrubber: finds them.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass, without secrets. Never raises."""
        try:
            self._scrub(record)
        except Exception:  # noqa: BLE001  arguments that cannot be printed, or do not fit
            record.msg, record.args, record.exc_info, record.exc_text = REDACTED, (), None, None
        return True

    def _scrub(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        clean = self._scrubber.text(said)
        if clean is not said:
            record.msg, record.args = clean, ()
        error = record.exc_info
        if error and error[1] is not None:
            told = _FORMAT.formatException(error)
            clean = self._scrubber.text(told)
            if clean is not told:  # handlers print the text where there is one
                record.exc_text, record.exc_info = clean, None
        if record.stack_info:
            record.stack_info = self._scrubber.text(record.stack_info)
