"""The engine room: what turns calls of the OTel API into telemetry, and keeps it away from the trading thread."""

from ticktrace.engine.attendant import Deadline
from ticktrace.engine.barrier import attempt, contained, internal_errors, report, text_of, warn_once
from ticktrace.engine.binding import BoundCounter, BoundGauge, BoundHistogram, BoundUpDownCounter, Instruments
from ticktrace.engine.clock import NANOSECONDS, Clock
from ticktrace.engine.current import SPAN_KEY, InnerContext, attach, get_current, reset
from ticktrace.engine.deferred.breath import breathe
from ticktrace.engine.deferred.engine import DeferredEngine
from ticktrace.engine.delivery import Delivery
from ticktrace.engine.interruptions import Cause, Interruption, Interruptions
from ticktrace.engine.overhead import Overhead
from ticktrace.engine.pipes import NamedTarget
from ticktrace.engine.plan import Engine, Plan
from ticktrace.engine.recent import Kept, Recent
from ticktrace.engine.sdk import SdkEngine
from ticktrace.engine.stamp import (
    NOTHING_MORE,
    Happened,
    Note,
    SpanEnd,
    SpanStart,
    Stamp,
    StampEvent,
    Stamps,
    events_of,
)
from ticktrace.engine.switch import Switchboard
from ticktrace.engine.totals import KeepingReader, SeriesTotal, Totals, keeps_totals

__all__ = [
    "NANOSECONDS",
    "NOTHING_MORE",
    "SPAN_KEY",
    "BoundCounter",
    "BoundGauge",
    "BoundHistogram",
    "BoundUpDownCounter",
    "Cause",
    "Clock",
    "Deadline",
    "DeferredEngine",
    "Delivery",
    "Engine",
    "Happened",
    "InnerContext",
    "Instruments",
    "Interruption",
    "Interruptions",
    "KeepingReader",
    "Kept",
    "NamedTarget",
    "Note",
    "Overhead",
    "Plan",
    "Recent",
    "SdkEngine",
    "SeriesTotal",
    "SpanEnd",
    "SpanStart",
    "Stamp",
    "StampEvent",
    "Stamps",
    "Switchboard",
    "Totals",
    "attach",
    "attempt",
    "breathe",
    "contained",
    "events_of",
    "get_current",
    "internal_errors",
    "keeps_totals",
    "report",
    "reset",
    "text_of",
    "warn_once",
]
