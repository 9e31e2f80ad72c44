"""Secrets: known by the names of keys and by their looks, and replaced before anything leaves the process."""

from .keys import SecretKeys
from .logs import LogScrubber, OwnLogFilter
from .metrics import MetricScrubber, scrub_reader
from .patterns import REDACTED
from .scrubber import Scrubber, scrubber_of
from .spans import SpanScrubber, scrub_resource

__all__ = [
    "REDACTED",
    "LogScrubber",
    "MetricScrubber",
    "OwnLogFilter",
    "Scrubber",
    "SecretKeys",
    "SpanScrubber",
    "scrub_reader",
    "scrub_resource",
    "scrubber_of",
]
