"""The engine room: what turns calls of the OTel API into telemetry, and keeps it away from the trading thread."""

from ticktrace.engine.attendant import Deadline
from ticktrace.engine.barrier import attempt, contained, internal_errors, report, text_of, warn_once
from ticktrace.engine.binding import BoundCounter, BoundGauge, BoundHistogram, BoundUpDownCounter, Instruments
from ticktrace.engine.clock import NANOSECONDS, Clock
from ticktrace.engine.deferred.engine import DeferredEngine
from ticktrace.engine.delivery import Delivery
from ticktrace.engine.pipes import NamedTarget
from ticktrace.engine.plan import Engine, Plan
from ticktrace.engine.sdk import SdkEngine
from ticktrace.engine.switch import Switchboard

__all__ = [
    "NANOSECONDS",
    "BoundCounter",
    "BoundGauge",
    "BoundHistogram",
    "BoundUpDownCounter",
    "Clock",
    "Deadline",
    "DeferredEngine",
    "Delivery",
    "Engine",
    "Instruments",
    "NamedTarget",
    "Plan",
    "SdkEngine",
    "Switchboard",
    "attempt",
    "contained",
    "internal_errors",
    "report",
    "text_of",
    "warn_once",
]
