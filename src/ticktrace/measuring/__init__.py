"""Timing the application's own code, and asking in process how long things took lately."""

from ticktrace.measuring._functions import within
from ticktrace.measuring._measure import Measure, measure, measure_async
from ticktrace.measuring._sites import (
    NAMES,
    Duration,
    Site,
    attach,
    current_target,
    detach,
    duration_of,
    duration_site,
    is_duration,
    keys_of,
    site_of,
)
from ticktrace.measuring._target import Target
from ticktrace.measuring.statistics import Statistics, Stats
from ticktrace.measuring.tokens import record_end, record_start

__all__ = [
    "NAMES",
    "Duration",
    "Measure",
    "Site",
    "Statistics",
    "Stats",
    "Target",
    "attach",
    "current_target",
    "detach",
    "duration_of",
    "duration_site",
    "is_duration",
    "keys_of",
    "measure",
    "measure_async",
    "record_end",
    "record_start",
    "site_of",
    "within",
]
