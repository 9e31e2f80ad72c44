"""Execution and account: second tries, exits that must get out, and positions that the exchange sees otherwise."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from breakout_bot.bot import Bot
from breakout_bot.exchange import Behaviour
from breakout_bot.market import synthetic_market
from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry

MARKET = synthetic_market(900, seed=1)


async def run(telemetry: Telemetry, **behaviour: Any) -> Bot:
    bot = Bot(MARKET, telemetry, behaviour=Behaviour(**behaviour))
    await bot.run()
    return bot


async def test_a_lost_request_is_sent_once_more(telemetry: Telemetry) -> None:
    bot = await run(telemetry, lost_requests=1.0)
    wanted = bot.ledger.counted("events_handled")["OrderWanted"]
    assert bot.ledger.orders_rejected == {"network": 2 * wanted}
    captured = Captured(telemetry)
    labels = {"trading__provider__name": "paper", "trading__provider__operation": "create_order"}
    assert captured.value("trading.provider.api.calls", **labels) == 2 * wanted
    assert captured.value("trading.provider.api.retries", **labels) == wanted
    assert (
        captured.value("trading.provider.available", trading__provider__name="paper") == 1
    )  # positions are told
    lost = captured.value("trading.provider.api.errors", error__type="RequestTimeoutError")
    assert lost == 2 * wanted


async def test_an_exit_that_came_too_fast_waits_and_gets_out(telemetry: Telemetry) -> None:
    bot = await run(telemetry, requests=1, request_window=240.0, lost_requests=0.0)
    waits = bot.ledger.counted("rate_limit_waits")["paper create_order"]
    captured = Captured(telemetry)
    assert captured.count("trading.provider.rate_limit.wait") == waits > 0
    assert 0 < captured.sum("trading.provider.rate_limit.wait") <= 240.0 * waits
    assert captured.value("trading.provider.rate_limit.hits") == bot.ledger.orders_rejected["rate_limited"]
    # The market's own refusals are answers: the provider was there all the time.
    assert captured.value("trading.provider.availability", trading__provider__name="paper") == 1
    assert "critical_errors" not in bot.ledger.as_dict()["counts"]


async def test_an_exit_that_does_not_get_out_is_critical(telemetry: Telemetry) -> None:
    bot = await run(telemetry, lost_requests=0.6)
    critical = bot.ledger.counted("critical_errors")
    assert set(critical) == {"execution RequestTimeoutError"}
    captured = Captured(telemetry)
    assert captured.value("trading.critical_errors") == critical["execution RequestTimeoutError"]
    severities = [record.log_record.severity_text for record in telemetry.memory.logs]
    assert {"WARNING", "CRITICAL"} <= set(severities)


async def test_a_position_that_the_exchange_sees_otherwise_is_told(telemetry: Telemetry) -> None:
    bot = Bot(MARKET, telemetry)
    bot.exchange._account.legs["buy"].quantity += Decimal("0.25")  # somebody traded by hand
    await bot.run()
    captured = Captured(telemetry)
    assert bot.ledger.mismatch == Decimal("-0.25")
    assert captured.value("trading.position.mismatch") == -0.25
    labels = {"trading__component": "account", "error__type": "position_mismatch"}
    assert captured.value("trading.critical_errors", **labels) == bot.ledger.counted("reconciliations")[""]


async def test_provider_calls_stand_below_the_order_that_needs_them(telemetry: Telemetry) -> None:
    bot = await run(telemetry)
    orders = {
        span.context.span_id
        for span in telemetry.memory.spans
        if span.name.startswith("order ") and span.context
    }
    calls = [span for span in telemetry.memory.spans if span.name == "provider create_order"]
    assert len(calls) == bot.ledger.orders
    assert all(call.parent is not None and call.parent.span_id in orders for call in calls)
