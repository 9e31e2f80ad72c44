"""A bot that forks while its exporter's account is locked and after a library made a wrong instrument."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
from typing import TYPE_CHECKING

from opentelemetry import metrics

from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from ticktrace.engine import Delivery

held = threading.Event()
done = threading.Event()


def hold(delivery: Delivery) -> None:
    with delivery._lock:
        held.set()
        done.wait(30)


meter = metrics.get_meter("careless")
refused = meter.create_counter("1 invalid")  # nobody is there yet to refuse it
telemetry = setup_telemetry("forking-bot", exporters={"traces": ["otlp_json_file"], "metrics": ["memory"]})
with contextlib.suppress(Exception):
    meter.create_counter("2 invalid")
market = telemetry.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m")
pipeline = telemetry._pipeline
assert pipeline is not None
open_candle = market.candle(close_time=1_700_000_040)
with open_candle:
    threading.Thread(target=hold, args=(pipeline.engine.deliveries[0],), daemon=True).start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(20, exit=True)
    else:
        done.set()
if child == 0:
    with market.candle(close_time=1_700_000_100):
        pass
    data = telemetry.memory.metrics
    assert data is not None
    names = {m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    assert "trading.candles.processed" in names, names
    os._exit(0 if telemetry.shutdown(10) else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
telemetry.shutdown(10)
sys.exit(code)
