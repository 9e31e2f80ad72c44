"""FastAPI: HTTP spans and metrics, the metrics page, and a shutdown that loses nothing.

Importing this room needs the ``fastapi`` extra; `MissingExtraError` says so.
"""

from __future__ import annotations

from ticktrace.errors import MissingExtraError

try:
    import fastapi as _fastapi_package
    import opentelemetry.util.http as _http_package
except ImportError as _missing:  # pragma: no cover  (the development environment has every extra)
    raise MissingExtraError("FastAPI instrumentation", "fastapi") from _missing

from ticktrace.web._every_app import instrument_every_fastapi
from ticktrace.web._fastapi import instrument_fastapi, uninstrument_fastapi
from ticktrace.web._options import DEFAULT_EXCLUDED_URLS
from ticktrace.web._protocol import Rendered, TelemetryHandle

del _fastapi_package, _http_package

__all__ = [
    "DEFAULT_EXCLUDED_URLS",
    "Rendered",
    "TelemetryHandle",
    "instrument_every_fastapi",
    "instrument_fastapi",
    "uninstrument_fastapi",
]
