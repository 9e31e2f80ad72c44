"""A bot that forks while another of its threads shuts telemetry down; the child ends as any process does."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time

from ticktrace import current_telemetry, setup_telemetry

telemetry = setup_telemetry("ending-bot", exporters={"traces": ["otlp"], "metrics": ["none"]})
market = telemetry.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m")
with market.candle(close_time=1_700_000_040):
    pass
ending = threading.Thread(target=telemetry.shutdown)
ending.start()
while telemetry.enabled:
    time.sleep(0.001)
child = os.fork()
if child == 0:
    faulthandler.dump_traceback_later(20, exit=True)
    assert current_telemetry() is None
    with market.candle(close_time=1_700_000_100):
        pass
    assert telemetry.shutdown()  # nothing of the child's own was lost
    with setup_telemetry("child-bot", exporters={"traces": ["memory"], "metrics": ["none"]}) as own:
        with own.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m").candle(
            close_time=1_700_000_100
        ):
            pass
        assert len(own.memory.spans) == 1
    setup_telemetry("child-bot", exporters={"traces": ["memory"], "metrics": ["none"]})
    sys.exit(0)  # with what atexit holds
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
ending.join()
sys.exit(code)
