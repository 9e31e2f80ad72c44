"""Objectives over a running engine, with a clock that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace.engine import Totals
from ticktrace.objectives import Objectives

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry
    from ticktrace.objectives import Judgement

__all__ = ["CANDLE", "KeptObjectives"]

CANDLE = "trading.candle.processing.duration"


class KeptObjectives:
    """Telemetry with objectives.

    Args:
        start: the fixture.
        objectives: by name, as the settings have them.
        settings: further settings; `slo` may have more of its own.
    """

    def __init__(self, start: Callable[..., Telemetry], objectives: dict[str, Any], **settings: Any) -> None:
        slo = {"objectives": objectives, "interval": "1h", **settings.pop("slo", {})}
        self.telemetry: Telemetry = start(slo=slo, **settings)
        self.now: float = 1_000.0
        pipeline = self.telemetry._pipeline
        assert pipeline is not None
        self.objectives: Objectives = Objectives(
            self.telemetry.settings.slo, self.telemetry.catalog, now=lambda: self.now, wall=lambda: 5.0
        )
        self.objectives.attach(
            pipeline.engine, self.telemetry._instruments, Totals(pipeline.engine.meter_provider)
        )

    def record(self, *values: float, **labels: Any) -> None:
        """Record durations of candles."""
        handle = self.telemetry.histogram(CANDLE, **labels)
        for value in values:
            handle.record(value)

    def look(self, after: float = 0.0) -> dict[str, Judgement]:
        """How the objectives stand so many seconds later."""
        self.now += after
        return self.objectives.status()
