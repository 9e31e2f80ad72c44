"""Under which key an OTel context holds the stage it belongs to."""

from __future__ import annotations

from opentelemetry import context as otel_context

__all__ = ["STAGE_KEY"]

# The innermost candle, signal or order travels in the OTel context beside its span, so it arrives wherever the trace
# does: in tasks, and behind the queues and threads of ticktrace.propagation.
STAGE_KEY: str = otel_context.create_key("ticktrace-stage")
