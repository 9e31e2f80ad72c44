"""ticktrace's own log without secrets: it tells what others told it, such as an exporter's error with its URL."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ticktrace.scrubbing import OwnLogFilter

if TYPE_CHECKING:
    from ticktrace.scrubbing import Scrubber

__all__ = ["scrub_own_logs"]

# A logger's filters are not asked about the records of those below it.
_LOGGERS: Final = tuple(
    logging.getLogger(name)
    for name in (
        "ticktrace",
        "ticktrace.diagnostics",
        "ticktrace.errors",
        "ticktrace.metrics",
        "ticktrace.sampling",
    )
)


def scrub_own_logs(scrubber: Scrubber) -> None:
    """Have what ticktrace logs scrubbed from now on, in place of what an earlier call said.

    It is not undone at a shutdown: that has things to say, too.
    """
    for logger in _LOGGERS:
        for installed in [each for each in logger.filters if isinstance(each, OwnLogFilter)]:
            logger.removeFilter(installed)
        if scrubber.enabled:
            logger.addFilter(OwnLogFilter(scrubber))
