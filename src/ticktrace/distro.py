"""Entry points for ``opentelemetry-instrument``: the pipeline of `setup_telemetry()` without a line of code.

The distribution replaces one instrumentation, FastAPI's, by ticktrace's own and loads all others as they are.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # not typed

from ticktrace.errors import TicktraceError
from ticktrace.telemetry import current_telemetry, setup_telemetry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from fastapi import FastAPI

__all__ = ["TicktraceConfigurator", "TicktraceDistro"]

STRICT_VARIABLE = "OTEL_PYTHON_TICKTRACE_STRICT"
_FASTAPI = "opentelemetry.instrumentation.fastapi"
_LOGGING = "opentelemetry.instrumentation.logging"


class TicktraceDistro(BaseDistro):  # type: ignore[misc]  # see the import
    """Chooses what ``opentelemetry-instrument`` loads (``OTEL_PYTHON_DISTRO=ticktrace`` among several)."""

    def _configure(self, **_kwargs: Any) -> None:
        # HTTP clients under the names that ticktrace's own HTTP servers, dashboards and rules use. Contrib reads this
        # once, when the first of its instrumentations loads; whoever set it keeps it.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Load one instrumentation; for FastAPI, instrument every application that is made from now on."""
        telemetry = current_telemetry()
        if (
            entry_point.value.partition(":")[0] == _LOGGING
            and telemetry is not None
            and telemetry.settings.captures_logs
        ):
            kwargs.setdefault("enable_log_auto_instrumentation", False)  # each record is captured already
        if entry_point.value.partition(":")[0] != _FASTAPI or telemetry is None:
            super().load_instrumentor(entry_point, **kwargs)
            return
        from ticktrace.web import instrument_every_fastapi  # noqa: PLC0415  an optional dependency

        instrument_every_fastapi(_instrument)


def _instrument(app: FastAPI) -> None:
    telemetry = current_telemetry()  # asked anew: the program may have set up its own since
    if telemetry is not None:
        telemetry.instrument_fastapi(app)


class TicktraceConfigurator:
    """Starts the pipeline from the environment and the settings file (``OTEL_PYTHON_CONFIGURATOR=ticktrace``)."""

    def configure(self, **_kwargs: Any) -> None:
        """Call `setup_telemetry()`.

        Wrong settings are printed to stderr with everything that is wrong, and the program runs without telemetry: a
        bot holds positions, and its operator did not change the bot. With ``OTEL_PYTHON_TICKTRACE_STRICT=true`` the
        program does not start.

        Raises:
            SystemExit: the settings are wrong and strictness was asked for.
        """
        try:
            setup_telemetry()
        except TicktraceError as error:
            strict = os.environ.get(STRICT_VARIABLE, "").strip().lower() in {"1", "true", "yes", "on"}
            consequence = (
                f"The program does not start, because {STRICT_VARIABLE} is set."
                if strict
                else f"The program runs WITHOUT telemetry. {STRICT_VARIABLE}=true makes this fatal."
            )
            rule = "=" * 78
            sys.stderr.write(f"{rule}\nticktrace: {error}\n\n{consequence}\n{rule}\n")
            sys.stderr.flush()
            if strict:
                raise SystemExit(1) from None
