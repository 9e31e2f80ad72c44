"""Instruments of your own: declared in a few lines, checked, bounded, documented, and with a dashboard of their own.

Run it: it records a little, prints what a scrape would give, the rows for your docs and where the dashboard is.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

from ticktrace import Telemetry, setup_telemetry
from ticktrace.catalog import InstrumentSpec, Kind, dashboard_of, reference_table

# The same could stand in ticktrace.yaml, under metrics.instruments.
HEDGE = InstrumentSpec(
    "acme.hedge.ratio",
    Kind.GAUGE,
    "1",
    "Part of the exposure that is hedged.",
    group="hedging",
    attributes=("trading.symbol", "acme.desk"),
    max_series=50,
)
REBALANCE = InstrumentSpec(
    "acme.rebalance.duration",
    Kind.HISTOGRAM,
    "s",
    "Time to bring the hedge back to its target.",
    group="hedging",
    attributes=("acme.desk", "error.type"),
    buckets=(0.001, 0.01, 0.1, 1.0),
)
CONTRACTS = InstrumentSpec(
    "acme.contracts.rolled",
    Kind.COUNTER,
    "{contract}",
    "Futures contracts that were rolled into the next month.",
    group="hedging",
    attributes=("acme.desk",),
)
ROWS = (HEDGE, REBALANCE, CONTRACTS)


def run(telemetry: Telemetry, rounds: int = 10) -> None:
    """Hedge a few positions."""
    rebalance = telemetry.histogram("acme.rebalance.duration", desk="futures")  # hot: resolved once
    for _ in range(rounds):
        for symbol in ("BTC/USDT", "ETH/USDT"):
            telemetry.gauge("acme.hedge.ratio", symbol=symbol, desk="futures").set(random.uniform(0.8, 1.0))
        rebalance.record(random.expovariate(100))
        telemetry.counter("acme.contracts.rolled", desk="futures").add(random.randint(0, 2))


def main() -> None:
    """Declare, record, and show what came of it."""
    with setup_telemetry("hedger", instruments=ROWS, prometheus={"serve": "never"}) as telemetry:
        run(telemetry)
        exposition = telemetry.exposition()
        lines = exposition.body.decode().splitlines() if exposition else []
        print("\n".join(line for line in lines if line.startswith("acme_")), end="\n\n")
    print(reference_table(ROWS))
    dashboard = Path(tempfile.gettempdir()) / "hedging-dashboard.json"
    dashboard.write_text(json.dumps(dashboard_of("Hedging", ROWS), indent=2), encoding="utf-8")
    print(f"A Grafana dashboard for them: {dashboard}")


if __name__ == "__main__":
    main()
