"""Event buses: one for asyncio, one for threads, and a wrapper for the one that the bot has already."""

from ticktrace.trading.bus._base import OnError, Overflow
from ticktrace.trading.bus._routes import Subscription
from ticktrace.trading.bus.asynchronous import EventBus
from ticktrace.trading.bus.observed import ObservedBus
from ticktrace.trading.bus.threaded import ThreadedEventBus

__all__ = ["EventBus", "ObservedBus", "OnError", "Overflow", "Subscription", "ThreadedEventBus"]
