"""What a person sees of the bot: options, control panel, summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from breakout_bot.app import create_app
from breakout_bot.bot import Bot
from breakout_bot.latency import percentiles
from breakout_bot.market import synthetic_market
from breakout_bot.options import parse_options
from breakout_bot.report import BareRun, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry


@pytest.fixture
def served(start: Callable[..., Telemetry]) -> Telemetry:
    """Telemetry for Prometheus, on no port of its own."""
    return start(exporters={"metrics": ["prometheus"]}, prometheus={"serve": "never"})


def test_arguments_outrank_the_environment_which_outranks_the_defaults() -> None:
    assert parse_options([], {}).speed is None
    chosen = parse_options(["--seed", "9"], {"SEED": "8", "SPEED": "60", "BARS": "", "PORT": "0"})
    assert (chosen.seed, chosen.speed, chosen.bars, chosen.port) == (9, 60.0, 3000, 0)
    assert (chosen.store, chosen.day_trades) == (":memory:", None)
    assert parse_options(["--store", "t.db", "--day-trades", "3"], {}).day_trades == 3


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"SPEED": "fast"}, "'fast' is neither max nor a number above 0"),
        ({"SPEED": "-1"}, "neither max nor"),
        ({"BARS": "one"}, "'one' is not a whole number above 1"),
        ({"PORT": "70000"}, "not a port"),
        ({"SEED": "x"}, "invalid int value: 'x'"),
    ],
)
def test_a_wrong_variable_says_what_is_allowed(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(SystemExit):
        parse_options([], environ)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--day-trades", "some"], "'some' is not a whole number from 0 up"),
        (["--day-trades", "-1"], "'-1' is not a whole number from 0 up"),
        (["--port", "x"], "'x' is not a port"),
    ],
)
def test_a_wrong_argument_says_what_is_allowed(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        parse_options(arguments, {})
    assert message in capsys.readouterr().err


async def test_the_control_panel_starts_stops_and_tells(served: Telemetry) -> None:
    bot = Bot(synthetic_market(400, seed=1), served)
    transport = httpx.ASGITransport(create_app(bot, served))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        assert (await client.post("/stop")).json()["running"] is False
        started = (await client.post("/start")).json()
        assert (started["state"], started["running"], started["of"]) == ("idle", True, 400)
        await bot.run()
        state = (await client.get("/state")).json()
        assert (state["finished"], state["candles"], state["timeframe"]) == (True, 400, "1m")
        positions = (await client.get("/positions")).json()
        assert len(positions) == bot.ledger.positions_open
        assert (await client.get("/ledger")).json() == bot.ledger.as_dict()
        trades = (await client.get("/trades", params={"last": 2})).json()
        assert [trade["profit_loss"] for trade in trades] == [
            str(trade.profit_loss) for trade in bot.ledger.trades[-2:]
        ]
        metrics = (await client.get("/metrics")).text
    assert "trading_candles_processed_total{" in metrics


async def test_the_summary_tells_everything(start: Callable[..., Telemetry]) -> None:
    market = synthetic_market(1500, seed=7)
    bot = Bot(market, start(enabled=False))
    await bot.run()
    bare = BareRun([seconds / 2 for seconds in bot.latencies.candle], bot.ledger.as_dict())
    text = summary(market, bot.ledger, bot.latencies, 2.0, bare)
    assert "1,500 in 2.0 s (750/s)" in text
    assert "momentum: " in text
    assert "retest: " in text
    assert f"{bot.ledger.orders} submitted" in text
    assert f"fees {bot.ledger.fees:,.2f}" in text
    assert "execution RequestTimeoutError" in text
    assert "Both runs decided the same: yes" in text
    assert "cost not measured" in summary(market, bot.ledger, bot.latencies, 2.0, None)
    assert "Both runs decided the same: NO" in summary(
        market, bot.ledger, bot.latencies, 2.0, BareRun(bare.candle, {})
    )


def test_percentiles_of_little_data() -> None:
    assert percentiles([]) is None
    assert percentiles([2.0]) == (2.0, 2.0, 2.0)
    assert percentiles([float(number) for number in range(101)]) == (50.0, 95.0, 99.0)
