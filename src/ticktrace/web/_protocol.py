"""What this room needs of the telemetry handle: nothing more, so that any handle with these members fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["Rendered", "TelemetryHandle"]


class Rendered(Protocol):
    """One rendered metrics page (`ticktrace.exporters.Exposition` is one)."""

    @property
    def body(self) -> bytes:
        """The page, encoded."""
        ...

    @property
    def content_type(self) -> str:
        """The value of the ``Content-Type`` header, charset and version included."""
        ...


class TelemetryHandle(Protocol):
    """The members of `ticktrace.Telemetry` that serving an application takes."""

    @property
    def enabled(self) -> bool:
        """Whether anything is recorded at all."""
        ...

    @property
    def tracer_provider(self) -> TracerProvider:
        """Where HTTP spans go."""
        ...

    @property
    def meter_provider(self) -> MeterProvider:
        """Where HTTP metrics go."""
        ...

    def exposition(self, accept: str | None = None, /) -> Rendered | None:
        """Render the metrics page for an ``Accept`` header; None without a Prometheus exporter. Blocks."""
        ...

    def flush(self, timeout: float | None = None, /) -> bool:
        """Export what is queued within `timeout` seconds. Blocks."""
        ...

    def shutdown(self, timeout: float | None = None, /) -> bool:
        """Flush and stop within `timeout` seconds (None: the configured deadline). Blocks."""
        ...
