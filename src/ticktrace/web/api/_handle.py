"""What the API needs of the telemetry handle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ticktrace.catalog import InstrumentSpec
    from ticktrace.engine import SeriesTotal
    from ticktrace.measuring import Statistics
    from ticktrace.objectives import Objectives
    from ticktrace.runtime import ResourceMonitor
    from ticktrace.settings import Settings
    from ticktrace.trading import Diagnostics
    from ticktrace.web._protocol import Rendered

__all__ = ["ApiHandle"]


@runtime_checkable
class ApiHandle(Protocol):
    """The members of `ticktrace.Telemetry` that the API reads."""

    catalog: dict[str, InstrumentSpec]
    statistics: Statistics
    objectives: Objectives
    diagnostics: Diagnostics

    @property
    def enabled(self) -> bool:
        """Whether anything is recorded at all."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    def exposition(self, accept: str | None = None, /) -> Rendered | None:
        """Render the metrics page; None without a Prometheus exporter. Blocks."""
        ...

    def losses(self) -> list[str]:
        """What telemetry has lost, in words."""
        ...

    def totals(self) -> Mapping[str, list[SeriesTotal]]:
        """The series of every instrument that has any. Blocks."""
        ...

    def watch_resources(self) -> ResourceMonitor:
        """The resource monitor; it is started by the first call."""
        ...
