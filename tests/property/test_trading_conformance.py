"""Any program of candles, signals and orders leaves the same spans and measurements on both engines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from support.captured import Captured
from support.trading_programs import PROGRAMS, Run, left_behind
from ticktrace import setup_telemetry
from ticktrace.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

TRADING = [name for name in CATALOG if name.startswith("trading.")]
MEMORY = {"traces": ["memory"], "metrics": ["memory"], "logs": ["none"]}


def outcome(engine: str, program: list[Any], before: Callable[[Telemetry], object] | None = None) -> Any:
    with setup_telemetry("bot", engine=engine, mode="backtest", exporters=MEMORY) as telemetry:
        if before is not None:
            before(telemetry)
        said = Run(telemetry).run(program)
        return said, *left_behind(Captured(telemetry), TRADING)


@pytest.mark.timeout(300)  # a program takes two set-ups and two shutdowns
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=PROGRAMS)
def test_both_engines_leave_the_same(program: list[Any]) -> None:
    logging.disable(logging.CRITICAL)  # wrong words are said, which is tested elsewhere
    try:
        theirs, ours = outcome("sdk", program), outcome("deferred", program)
    finally:
        logging.disable(logging.NOTSET)
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]
    assert ours[2] == theirs[2]
