"""The journal: decisions as lines of JSON, written where nobody waits for them."""

from ._plain import plain
from ._queue import Entry
from .encoding import LineEncoder, Scrubber
from .journal import Journal, Writing
from .line import SCHEMA_VERSION, Line

__all__ = ["SCHEMA_VERSION", "Entry", "Journal", "Line", "LineEncoder", "Scrubber", "Writing", "plain"]
