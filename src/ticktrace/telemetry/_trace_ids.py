"""Log records that know their span: `otelTraceID`, `otelSpanID`, `otelTraceSampled` and `otelServiceName` for formatters.

The names and values are those of `opentelemetry-instrumentation-logging`, whose format strings work. The instrumentation
itself is not used: it adds a handler of its own and changes `logging.basicConfig` for good, puts back the factory it found
when it ends even if others have put theirs on top meanwhile, and never learns the service's name from a provider that is
set up after the first record. Where it runs already, its ids are left as they are.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import get_current_span

from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JOINED", "join_traces"]

JOINED: Final = ("otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName")
"""The attributes that records get."""


def join_traces(service_name: str) -> Callable[[], None]:
    """Give each record that is made from now on the ids of the current span, ``"0"`` where there is none.

    Args:
        service_name: for ``otelServiceName``.

    Returns:
        What undoes it.
    """
    before = logging.getLogRecordFactory()
    active = True

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        if active and not hasattr(record, "otelTraceID"):
            try:
                _join(record, service_name)
            except Exception as error:  # noqa: BLE001  a span of somebody else's
                report("logs.trace_ids", error)
        return record

    def undo() -> None:
        nonlocal active
        active = False  # should others have put their factory on top of it
        if logging.getLogRecordFactory() is make:
            logging.setLogRecordFactory(before)

    logging.setLogRecordFactory(make)
    return undo


def _join(record: logging.LogRecord, service_name: str) -> None:
    joined = vars(record)
    joined["otelServiceName"] = service_name
    joined["otelTraceID"] = joined["otelSpanID"] = "0"
    joined["otelTraceSampled"] = False
    context = get_current_span().get_span_context()
    if context.is_valid:
        joined["otelTraceID"] = f"{context.trace_id:032x}"
        joined["otelSpanID"] = f"{context.span_id:016x}"
        joined["otelTraceSampled"] = context.trace_flags.sampled
