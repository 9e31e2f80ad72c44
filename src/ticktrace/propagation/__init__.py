"""Carry the trace context where Python loses it: queues, threads, executors, callbacks, generators, headers."""

from __future__ import annotations

from ticktrace.propagation.async_queue import TracedQueue
from ticktrace.propagation.attachment import Relation, attached, current_links, detached, link_to
from ticktrace.propagation.carry import carry
from ticktrace.propagation.generators import (
    ContextAsyncGenerator,
    ContextGenerator,
    propagate_generator,
)
from ticktrace.propagation.handoff import Delivery, Handoff
from ticktrace.propagation.headers import HeaderStyle, extract, inject
from ticktrace.propagation.thread_queue import TracedThreadQueue
from ticktrace.propagation.threads import ContextExecutor, ContextThread

__all__ = [
    "ContextAsyncGenerator",
    "ContextExecutor",
    "ContextGenerator",
    "ContextThread",
    "Delivery",
    "Handoff",
    "HeaderStyle",
    "Relation",
    "TracedQueue",
    "TracedThreadQueue",
    "attached",
    "carry",
    "current_links",
    "detached",
    "extract",
    "inject",
    "link_to",
    "propagate_generator",
]
