"""Rows about the bot's engine, its event bus and its errors."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import FILL, HOT_PATH
from ticktrace.catalog._labels import MODE
from ticktrace.catalog._spec import counter, gauge, group, histogram

__all__ = ["ROWS"]

_ENGINE = (semconv.VENUE, *MODE)
_EVENT = (semconv.EVENT_TYPE, *MODE)
_ERROR = (semconv.ERROR_TYPE, semconv.COMPONENT, *MODE)

ROWS = (
    *group(
        "engine",
        histogram(
            "trading.engine.cycle.duration",
            "s",
            "Time of one cycle of the engine.",
            HOT_PATH,
            (semconv.ENGINE_STATE, *MODE, semconv.ERROR_TYPE),
            "engine_cycle_time",
        ),
        gauge(
            "trading.engine.state",
            "{boolean}",
            "One series a declared state: 1 for the one that the engine is in, 0 for the others.",
            (semconv.ENGINE_STATE, *MODE),
        ),
        counter(
            "trading.engine.state.transitions",
            "{transition}",
            "Changes of the engine's state.",
            (semconv.ENGINE_TRANSITION_FROM, semconv.ENGINE_TRANSITION_TO, *MODE),
        ),
        counter(
            "trading.engine.state.illegal_transitions",
            "{transition}",
            "Changes of the engine's state that the application had not declared.",
            (semconv.ENGINE_TRANSITION_FROM, semconv.ENGINE_TRANSITION_TO, *MODE),
        ),
        histogram(
            "trading.engine.state.duration",
            "s",
            "Time that the engine was in a state, recorded when it left it.",
            FILL,
            (semconv.ENGINE_STATE, *MODE),
        ),
        counter(
            "trading.engine.cycle.overruns",
            "{cycle}",
            "Cycles that took longer than their budget.",
            (semconv.ENGINE_STATE, *MODE),
        ),
        gauge(
            "trading.engine.signals.active", "{signal}", "Signals that the latest cycle had to work on.", MODE
        ),
        gauge(
            "trading.engine.cycles.without_signal",
            "{cycle}",
            "Cycles one after the other, up to the latest, that had no signal.",
            MODE,
        ),
        gauge(
            "trading.engine.uptime", "s", "Time since the engine was started.", MODE, "engine_uptime_seconds"
        ),
        gauge(
            "trading.engine.heartbeat.timestamp",
            "s",
            "When the engine last gave a sign of life, in seconds since 1970 UTC.",
            MODE,
        ),
        gauge("trading.engine.positions.open", "{position}", "Positions that are open.", _ENGINE),
        gauge("trading.engine.orders.open", "{order}", "Orders that are open.", _ENGINE),
    ),
    *group(
        "event bus",
        histogram(
            "trading.event_bus.publish.duration",
            "s",
            "Time to publish an event, waiting for room in the queue included.",
            HOT_PATH,
            _EVENT,
        ),
        histogram(
            "trading.event_bus.handle.duration",
            "s",
            "Time that a handler took for one event.",
            HOT_PATH,
            (*_EVENT, semconv.EVENT_HANDLER_NAME, semconv.ERROR_TYPE),
        ),
        histogram(
            "trading.event_bus.queue.wait",
            "s",
            "Time that an event waited in the queue.",
            HOT_PATH,
            (*_EVENT, semconv.QUEUE_NAME),
        ),
        gauge(
            "trading.event_bus.queue.depth",
            "{event}",
            "Events that wait in the queue.",
            (semconv.QUEUE_NAME, *MODE),
            "event_bus_queue_depth",
        ),
        # Not in the seeds: what the bot's own bus lost, or took too long over, is what an operator asks first.
        counter(
            "trading.event_bus.dropped",
            "{event}",
            "Events that were published and not handled.",
            (*_EVENT, semconv.QUEUE_NAME, semconv.DROP_REASON),
        ),
        counter(
            "trading.event_bus.handlers.slow",
            "{call}",
            "Calls of a handler that took longer than its threshold.",
            (*_EVENT, semconv.EVENT_HANDLER_NAME),
        ),
    ),
    *group(
        "errors",
        counter("trading.errors", "{error}", "Errors, handled ones included.", _ERROR, "errors_total"),
        counter(
            "trading.exceptions", "{exception}", "Exceptions that were recorded.", _ERROR, "exceptions_total"
        ),
        counter(
            "trading.critical_errors",
            "{error}",
            "Errors that stop trading or put money at risk.",
            _ERROR,
            "critical_errors_total",
        ),
    ),
)
