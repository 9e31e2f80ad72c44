"""A bot that forks while the drain is in a pass, stuck in a span processor of the application's."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

entered, release = threading.Event(), threading.Event()


class Stuck(SpanProcessor):
    """Keeps whoever hands it a span."""

    def on_end(self, span: ReadableSpan) -> None:
        """Wait."""
        if span.name == "parent's":
            entered.set()
            release.wait(30)


telemetry = setup_telemetry("forking-bot", engine="deferred", mode=sys.argv[1])
assert telemetry._pipeline is not None
telemetry._pipeline.engine.tracer_provider.add_span_processor(Stuck())  # type: ignore[attr-defined]
tracer = trace.get_tracer("bot")
tracer.start_span("parent's").end()
assert entered.wait(20)
tracer.start_span("parent's, too").end()  # waits for the drain
child = os.fork()
if child == 0:
    faulthandler.dump_traceback_later(30, exit=True)
    for _ in range(5):
        with tracer.start_as_current_span("child's"):
            pass
    with telemetry.trading.market(venue="paper", symbol="BTC/USDT", timeframe="1m").candle():
        pass
    assert telemetry.flush(10)
    tracer.start_span("child's").end()
    os._exit(0 if telemetry.shutdown(10) else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
release.set()
good = telemetry.shutdown(10)
sys.exit(code or not good)
