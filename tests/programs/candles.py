"""A small bot for tests that need a process of its own: so many candles, an order in each, then an ordinary end."""

from __future__ import annotations

import sys
from decimal import Decimal

from ticktrace import setup_telemetry


def main(count: int) -> None:
    telemetry = setup_telemetry("small-bot", mode="paper")
    market = telemetry.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m")
    for number in range(count):
        with market.candle(close_time=1_700_000_040 + 60 * number) as candle:
            with candle.signal("momentum") as signal:
                signal.emit("long", confidence=0.9)
            with signal.order(side="buy", type="limit", quantity=Decimal(1), expected_price=100) as order:
                order.acknowledged(f"order-{number}")
                order.filled(price=Decimal("100.5"), quantity=Decimal(1))
    print("candles", count, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
