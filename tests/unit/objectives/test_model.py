from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace import setup_telemetry
from ticktrace.catalog import CATALOG
from ticktrace.errors import SettingsError
from ticktrace.objectives import Objective, objectives_of
from ticktrace.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

CANDLE = "trading.candle.processing.duration"


def objective(**settings: Any) -> Objective:
    loaded = load_settings({"slo": {"objectives": {"o": {"instrument": CANDLE, **settings}}}})
    (made,) = objectives_of(loaded.settings.slo, CATALOG)
    return made


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"instrument": "trading.candle.procesing.duration", "threshold": 1}, f'did you mean "{CANDLE}"?'),
        (
            {"instrument": "trading.orders.submitted", "threshold": 1},
            "is a counter; thresholds are for histograms",
        ),
        ({"instrument": "trading.engine.uptime", "good": {"mode": "live"}}, "is a gauge"),
        ({"instrument": CANDLE, "threshold": 1, "attributes": {"side": "buy"}}, 'attribute "side"'),
        (
            {"instrument": "trading.orders.submitted", "bad_instrument": "trading.orders.rejectd"},
            'bad_instrument: unknown instrument "trading.orders.rejectd"; did you mean "trading.orders.rejected"?',
        ),
        ({"instrument": CANDLE}, "needs exactly one of threshold, good, and bad or bad_instrument"),
        ({"instrument": CANDLE, "threshold": 1, "good": {"mode": "live"}}, "has threshold and good"),
        ({"instrument": CANDLE, "threshold": 1, "target": 1}, "must be a number above 0 and below 1"),
        ({"instrument": CANDLE, "threshold": "soon"}, "must be a number in the unit of the instrument"),
        ({"threshold": 1}, "instrument: is required"),
    ],
)
def test_what_is_wrong_with_an_objective_is_said_at_the_start(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        setup_telemetry("bot", slo={"objectives": {"mine": settings}})
    assert problem in str(caught.value)
    assert "mine" in str(caught.value)


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        ({"drop": True}, "drops"),
        ({"exponential": True}, "exponential"),
        (
            {"keep_attributes": ["trading.timeframe"]},
            'attribute "trading.symbol": one of metrics.views takes it off',
        ),
    ],
)
def test_a_view_may_make_it_uncountable(view: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match="objectives") as caught:
        setup_telemetry(
            "bot",
            metrics={"views": [{"instrument": CANDLE, **view}]},
            slo={"objectives": {"o": {"instrument": CANDLE, "threshold": 1, "attributes": {"symbol": "A"}}}},
        )
    assert problem in str(caught.value)


def test_the_threshold_becomes_a_boundary_beside_those_of_the_settings(
    start: Callable[..., Telemetry],
) -> None:
    telemetry = start(
        slo={
            "thresholds": {CANDLE: ["12.3ms"]},
            "objectives": {"o": {"instrument": CANDLE, "threshold": "45.6ms"}},
        }
    )
    telemetry.histogram(CANDLE).record(1.0)
    (point,) = Captured(telemetry).points(CANDLE)
    assert {0.0123, 0.0456} <= set(point.explicit_bounds)


def test_words_of_attributes_are_understood_as_elsewhere() -> None:
    made = objective(threshold=0.05, attributes={"symbol": ["A", "B"], "mode": "live"})
    assert made.wanted == (("trading.symbol", ("A", "B")), ("trading.engine.mode", ("live",)))
    assert made.promise == f"99 % of {CANDLE} within 0.05 s"
    assert objective(bad={"mode": "live"}, description="no money at stake").promise == (
        f"no money at stake: 99 % of {CANDLE} without trading.engine.mode=live"
    )


@pytest.mark.parametrize(
    ("threshold", "written"),
    [
        (0.05, 'le="0.05"'),
        (1e-05, 'le="1e-05"'),
        (1, 'le=~"1|1\\\\.0"'),
        (2_500_000, 'le=~"2\\\\.5e\\\\+06|2500000|2500000\\\\.0"'),
    ],
)
def test_a_bound_is_found_however_it_is_written(threshold: float, written: str) -> None:
    assert written in objective(threshold=threshold).promql()


def test_labels_are_quoted() -> None:
    good, total = objective(threshold=1, attributes={"symbol": ['A"\\', "B.C", None]}).promql_counts(60)
    assert '{le=~"1|1\\\\.0",trading_symbol=~"A\\"\\\\\\\\|B\\\\.C|"} offset 60000ms' in good
    assert "_count{" in total
