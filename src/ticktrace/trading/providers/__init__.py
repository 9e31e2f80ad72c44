"""Data and broker APIs: each call timed, counted and traced, whatever kind of function makes it."""

from ticktrace.trading.providers._call import ProviderCall
from ticktrace.trading.providers._client import observed_client
from ticktrace.trading.providers._provider import Provider, Waiting

__all__ = ["Provider", "ProviderCall", "Waiting", "observed_client"]
