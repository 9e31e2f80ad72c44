"""Telemetry as the application sees it: one call to start it, one handle to use and end it."""

from ticktrace.telemetry._handle import Telemetry
from ticktrace.telemetry._setup import current_telemetry, setup_telemetry

__all__ = ["Telemetry", "current_telemetry", "setup_telemetry"]
