"""The engine's states, cycles and heartbeat."""

from __future__ import annotations

import asyncio
import threading
from enum import Enum
from typing import TYPE_CHECKING

import pytest
from dirty_equals import IsPositiveFloat

from support.captured import Captured

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

LEGAL = {
    "idle": ("scanning",),
    "scanning": ("signal_wait", "idle"),
    "signal_wait": ("managing", "scanning"),
    "managing": ("scanning",),
}


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


def states(captured: Captured) -> dict[str, float]:
    return {
        point.attributes["trading.engine.state"]: point.value
        for point in captured.points("trading.engine.state")
    }


def test_one_series_a_state_and_only_the_present_one_is_1(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    assert states(captured) == {"idle": 1, "scanning": 0, "signal_wait": 0, "managing": 0}
    engine.transition("scanning")
    assert states(captured) == {"idle": 0, "scanning": 1, "signal_wait": 0, "managing": 0}
    assert engine.state == "scanning"


def test_transitions_are_counted_and_told_on_the_current_span(
    telemetry: Telemetry, captured: Captured
) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle(close_time=1_700_000_040):
        engine.transition("scanning", reason="market opened")
    (event,) = captured.span("candle 1m").events
    assert dict(event.attributes or {}) == {
        "trading.engine.transition.from": "idle",
        "trading.engine.transition.to": "scanning",
        "trading.engine.transition.legal": True,
        "trading.engine.transition.reason": "market opened",
        "trading.elapsed": IsPositiveFloat,
    }
    counted = {"trading__engine__transition__from": "idle", "trading__engine__transition__to": "scanning"}
    assert captured.value("trading.engine.state.transitions", **counted) == 1


def test_an_illegal_transition_is_said_and_followed(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    assert engine.transition("managing") is False
    assert engine.state == "managing"
    assert states(captured)["managing"] == 1
    assert "from 'idle' to 'managing'" in caplog.text
    step = {"trading__engine__transition__from": "idle", "trading__engine__transition__to": "managing"}
    assert captured.value("trading.engine.state.illegal_transitions", **step) == 1
    engine.transition("scanning")
    engine.transition("managing")  # from scanning, that is not declared either
    assert captured.value("trading.engine.state.illegal_transitions") == 2


def test_a_declared_step_is_not_illegal(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    assert engine.transition("scanning") is True
    assert captured.value("trading.engine.state.transitions") == 1
    assert captured.points("trading.engine.state.illegal_transitions") == []


def test_without_declared_transitions_every_declared_state_is_legal(telemetry: Telemetry) -> None:
    engine = telemetry.trading.engine()
    assert engine.transition("managing") is True
    assert engine.transition("daydreaming") is False


def test_to_stay_is_no_transition_unless_it_was_declared(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine(transitions={**LEGAL, "managing": ("managing", "scanning")})
    assert engine.transition("idle")  # bots say so at every turn
    assert captured.points("trading.engine.state.transitions") == []
    engine.transition("scanning")
    engine.transition("signal_wait")
    engine.transition("managing")
    assert engine.transition("managing")
    assert (
        captured.value("trading.engine.state.transitions", trading__engine__transition__from="managing") == 1
    )


def test_the_time_in_a_state_is_recorded_when_it_is_left(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    readings = iter(range(engine.clock.now(), 10**18, 2_000_000_000))
    engine.clock.now = lambda: next(readings)
    engine.transition("scanning")
    engine.transition("signal_wait")
    assert captured.count("trading.engine.state.duration", trading__engine__state="idle") == 1
    assert captured.count("trading.engine.state.duration", trading__engine__state="scanning") == 1
    assert captured.sum("trading.engine.state.duration", trading__engine__state="scanning") >= 2
    assert captured.count("trading.engine.state.duration", trading__engine__state="signal_wait") == 0
    assert engine.state_seconds >= 2


class Phase(Enum):
    IDLE = 0
    SCANNING = 1


def test_states_may_be_an_enumeration_and_in_any_case(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine(
        states=Phase, initial=Phase.IDLE, transitions={Phase.IDLE: [Phase.SCANNING]}
    )
    assert engine.transition(Phase.SCANNING)
    assert states(captured) == {"IDLE": 0, "SCANNING": 1}
    lower = telemetry.trading.engine(states=("waiting", "trading"), initial="waiting")
    assert lower.transition("TRADING")
    assert lower.state == "TRADING", "the bot's own word"
    assert states(captured)["trading"] == 1


def test_a_transition_from_a_state_that_was_not_declared_is_said_at_once(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.trading.engine(transitions={"idle": ("scaning",)})
    assert "'scaning', which is none of idle, scanning, signal_wait, managing" in caplog.text


def test_four_threads_leave_one_state_at_1(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine()

    def wander() -> None:
        for step in range(200):
            engine.transition(engine.states[step % 4])

    threads = [threading.Thread(target=wander) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(states(captured).values()) == 1
    assert states(captured)[engine.state] == 1
    counted = captured.value("trading.engine.state.transitions")
    assert captured.count("trading.engine.state.duration") == counted > 0


def test_an_undeclared_state_makes_no_series(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    engine = telemetry.trading.engine()
    engine.transition("daydreaming")
    with engine.cycle():
        pass
    assert set(states(captured)) == set(engine.states)
    assert captured.value("trading.engine.state.transitions", trading__engine__transition__to="other") == 1
    assert captured.count("trading.engine.cycle.duration", trading__engine__state="other") == 1
    assert "'daydreaming' was not declared" in caplog.text


def test_a_cycle_is_timed_by_the_state_it_began_in_and_beats_the_heart(
    telemetry: Telemetry, captured: Captured
) -> None:
    engine = telemetry.trading.engine(transitions=LEGAL)
    with engine.cycle():
        engine.transition("scanning")
    assert captured.count("trading.engine.cycle.duration", trading__engine__state="idle") == 1
    assert captured.value("trading.engine.heartbeat.timestamp") > 1.7e9
    assert captured.value("trading.engine.uptime") > 0
    assert captured.spans == ()


def test_a_cycle_tells_of_positions_orders_and_signals(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine()
    for signals in (1, 0, 0):
        with engine.cycle() as cycle:
            cycle.positions(2)
            cycle.orders(3)
            cycle.signals(signals)
    assert captured.value("trading.engine.positions.open") == 2
    assert captured.value("trading.engine.orders.open") == 3
    assert captured.value("trading.engine.signals.active") == 0
    assert captured.value("trading.engine.cycles.without_signal") == 2
    with engine.cycle() as cycle:
        cycle.signals(4)
    assert captured.value("trading.engine.signals.active") == 4
    assert captured.value("trading.engine.cycles.without_signal") == 0


def test_a_cycle_that_says_nothing_of_signals_counts_as_neither(
    telemetry: Telemetry, captured: Captured
) -> None:
    with telemetry.trading.engine().cycle():
        pass
    assert captured.points("trading.engine.cycles.without_signal") == []


@pytest.mark.parametrize("span", [False, True])
def test_a_cycle_over_its_budget_is_counted_and_said(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture, span: bool
) -> None:
    engine = telemetry.trading.engine(cycle_budget=1e-9)
    with engine.cycle(span=span) as cycle:
        sum(range(100))
    assert cycle.overran
    with engine.cycle(budget=3600, span=span):
        pass
    assert captured.value("trading.engine.cycle.overruns", trading__engine__state="idle") == 1
    assert captured.count("trading.engine.cycle.duration") == 2
    assert "a cycle in state 'idle' took" in caplog.text


def test_a_cycle_without_budget_never_overruns(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.engine().cycle() as cycle:
        pass
    assert not cycle.overran
    assert captured.points("trading.engine.cycle.overruns") == []


async def test_a_cycle_may_be_a_span_the_root_of_what_it_sets_off(
    telemetry: Telemetry, captured: Captured
) -> None:
    engine = telemetry.trading.engine(cycle_budget=1e-9)
    async with engine.cycle(span=True):
        with telemetry.trading.scanner("breakout").scan():
            await asyncio.sleep(0)
    root, scan = captured.span("cycle idle"), captured.span("scan breakout")
    assert root.parent is None
    assert scan.parent is not None
    assert scan.parent.span_id == root.context.span_id
    (event,) = root.events
    assert event.name == "trading.engine.cycle.overrun"
    assert dict(event.attributes or {}) == {
        "trading.engine.state": "idle",
        "trading.elapsed": IsPositiveFloat,
        "trading.elapsed_limit": 1e-9,
    }


@pytest.mark.parametrize("span", [False, True])
def test_the_end_of_a_cycle_is_a_heartbeat(telemetry: Telemetry, captured: Captured, span: bool) -> None:
    engine = telemetry.trading.engine()
    with engine.cycle(span=span):
        engine.clock.wall = lambda: 1_900_000_000 * 10**9
    assert captured.value("trading.engine.heartbeat.timestamp") == 1_900_000_000


@pytest.mark.parametrize("span", [False, True])
def test_a_cycle_that_fails_says_so(telemetry: Telemetry, captured: Captured, span: bool) -> None:
    def fail() -> None:
        with telemetry.trading.engine().cycle(span=span):
            raise KeyError("price")

    with pytest.raises(KeyError):
        fail()
    assert captured.count("trading.engine.cycle.duration", error__type="KeyError") == 1


def test_one_cycle_object_may_serve_every_turn(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine()
    cycle = engine.cycle()
    for state in ("scanning", "managing"):
        with cycle:
            engine.transition(state)
    by_state = [
        captured.count("trading.engine.cycle.duration", trading__engine__state=state)
        for state in ("idle", "scanning", "managing")
    ]
    assert by_state == [1, 1, 0]


def test_a_cycle_that_the_bot_timed_itself(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine(cycle_budget=0.1)
    engine.record_cycle(0.25, state="managing", positions=1, signals=0, orders=2)
    assert captured.sum("trading.engine.cycle.duration", trading__engine__state="managing") == pytest.approx(
        0.25
    )
    assert captured.value("trading.engine.cycle.overruns", trading__engine__state="managing") == 1
    assert captured.value("trading.engine.positions.open") == 1
    assert captured.value("trading.engine.orders.open") == 2
    assert captured.value("trading.engine.cycles.without_signal") == 1


@pytest.mark.parametrize("span", [False, True])
def test_the_age_of_the_heartbeat_is_known_also_while_telemetry_is_off(
    start: Callable[..., Telemetry], span: bool
) -> None:
    engine = start(enabled=False).trading.engine()
    now = engine.clock.now()
    engine.clock.now = lambda: now + 61_000_000_000
    assert engine.heartbeat_age >= 61
    assert engine.is_stale()
    assert not engine.is_stale(after=120)
    with engine.cycle(span=span):
        pass
    assert engine.heartbeat_age == 0
    assert not engine.is_stale()


def test_control_flow_stays_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    engine = start(enabled=False).trading.engine(transitions=LEGAL)
    assert engine.transition("managing") is False
    assert engine.transition("scanning") is True
    assert engine.state == "scanning"
    with engine.cycle(budget=1e-9) as cycle:
        sum(range(100))
    assert cycle.overran
    assert cycle.state == "scanning"


def test_positions_and_orders_may_be_told_by_venue(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine()
    engine.positions_open(2, venue="binance")
    engine.positions_open(1, venue="ibkr")
    engine.orders_open(3, venue="ibkr")
    assert captured.value("trading.engine.positions.open", trading__venue="binance") == 2
    assert captured.value("trading.engine.positions.open", trading__venue="ibkr") == 1
    assert captured.value("trading.engine.orders.open", trading__venue="ibkr") == 3


def test_open_positions_and_orders(telemetry: Telemetry, captured: Captured) -> None:
    engine = telemetry.trading.engine()
    engine.positions_open(2)
    engine.orders_open(3)
    assert captured.value("trading.engine.positions.open") == 2
    assert captured.value("trading.engine.orders.open") == 3


def test_performance_is_what_the_ledger_says(telemetry: Telemetry, captured: Captured) -> None:
    performance = telemetry.trading.performance
    performance.trade_closed(profit_loss=-3, strategy="momentum", symbol="BTC", holding_seconds=90)
    performance.update(realized=-3, unrealized=1.5, value=9_998.5, drawdown_ratio=0.01)
    performance.update(realized=-3, strategy="momentum")
    assert captured.sum("trading.trade.profit_loss", trading__strategy__name="momentum") == -3
    assert captured.sum("trading.position.holding.duration") == 90
    assert captured.value("trading.portfolio.value") == 9_998.5
    account = [point for point in captured.points("trading.pnl.realized") if len(point.attributes) == 1]
    assert [point.value for point in account] == [-3]
