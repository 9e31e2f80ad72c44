"""The feed: the market's candles, asked for by the page as bots ask a venue's REST interface. Now and then that fails."""

from __future__ import annotations

import random
from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from breakout_bot.ledger import Ledger
    from breakout_bot.market import Candle, Market
    from ticktrace import Telemetry

__all__ = ["Archive", "Feed"]

PAGE = 240
TRIES = 5


class Archive:
    """What a venue knows of the past. A share of the requests gets no answer."""

    def __init__(self, market: Market, *, seed: int, lost_requests: float = 0.03) -> None:
        self._candles = market.candles
        self._lost_requests = lost_requests
        self._rng = random.Random(f"archive:{seed}")

    async def fetch_ohlcv(self, since: int, limit: int) -> Sequence[Candle]:
        """At most `limit` candles that opened at `since` (unix ms) or later, oldest first; TimeoutError."""
        if self._rng.random() < self._lost_requests:
            raise TimeoutError("the archive has not answered")
        start = bisect_left(self._candles, since, key=attrgetter("open_time"))
        return self._candles[start : start + limit]


class Feed:
    """Gives the bot its candles, page by page."""

    def __init__(self, market: Market, telemetry: Telemetry, ledger: Ledger, *, seed: int) -> None:
        self._telemetry = telemetry
        self._ledger = ledger
        trading = telemetry.trading
        self._stream = trading.market(venue=market.venue, symbol=market.symbol, timeframe=market.timeframe)
        self._provider = trading.provider(
            "archive", data_time=lambda page: page[-1].close_time if page else None
        )
        # A stand-in for the client: each fetch is a call to the provider, timed, with its errors told by their kind.
        self._archive = self._provider.wrap(Archive(market, seed=seed))

    def message(self) -> None:
        """A candle is delivered."""
        self._stream.message()

    async def page(self, since: int) -> Sequence[Candle]:
        """The next candles from `since` (unix ms) on; none at the end. A lost request is made again a few times."""
        for left in reversed(range(TRIES)):
            self._ledger.count("provider_calls", "archive", "fetch_ohlcv")
            try:
                return await self._archive.fetch_ohlcv(since, PAGE)
            except TimeoutError as error:
                self._ledger.count("provider_errors", "archive", "fetch_ohlcv", "TimeoutError")
                self._telemetry.error(error, component="feed", severity="warning")
                self._ledger.count("errors", "feed", "TimeoutError")
                self._stream.disconnected("timeout")
                self._ledger.count("disconnects", "timeout")
                if not left:
                    raise
                self._provider.retried("fetch_ohlcv", error)
                self._ledger.count("provider_retries", "archive", "fetch_ohlcv")
        raise AssertionError("the last try either returns or raises")
