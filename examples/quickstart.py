"""From nothing to an observed bot: run it, then open the address that it prints."""

import contextlib
import random
import time

from ticktrace import setup_telemetry

# One call. OTEL_* variables and ticktrace.yaml choose where telemetry goes; by default Prometheus can scrape it.
telemetry = setup_telemetry("quickstart", mode="backtest")
btc = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
price = 42_000.0

print(
    "Ctrl-C ends it. Metrics: http://localhost:9464/metrics. Traces: start it with OTEL_TRACES_EXPORTER=console"
)
with contextlib.suppress(KeyboardInterrupt), telemetry:  # flushes and shuts down, whatever happens inside
    for close_time in range(1_700_000_040, 1_700_010_000, 60):
        move, volume = random.gauss(0, 30), random.lognormvariate(3, 1)
        price += move
        with btc.candle(close_time=close_time) as candle:  # a trace begins, and is timed
            with candle.signal("momentum") as signal:
                # Each condition is told with its value and threshold: that answers "why no trade?"
                strong = signal.check("move", value=move, threshold=20)
                busy = signal.check("volume", value=volume, threshold=15)
                if strong and busy:
                    signal.emit("long", confidence=0.8, price=price)
            if signal.emitted:
                with signal.order(side="buy", type="market", quantity=0.1, expected_price=price) as order:
                    time.sleep(0.02)  # here your exchange answers
                    order.acknowledged(f"order-{close_time}")
                order.filled(price=price + random.gauss(1, 1), quantity=0.1)  # may come later, from anywhere
        time.sleep(0.5)
