"""What the bot depends on: providers, caches, databases, sentiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ticktrace.engine import report, text_of
from ticktrace.trading._limits import MOST_WORDS
from ticktrace.trading.cache import Cache
from ticktrace.trading.database import Database
from ticktrace.trading.providers import Provider
from ticktrace.trading.sentiment import Sentiment

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine import Instruments
    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._time import Timestamp

__all__ = ["Surroundings"]


class Surroundings:
    """The part of `Trading` that is about what the bot depends on.

    Attributes:
        sentiment: what sources say of a symbol, and what is made of it.
    """

    def __init__(self, recorder: Recorder, instruments: Instruments) -> None:
        self._recorder = recorder
        self._instruments = instruments
        self._providers: dict[str, Provider] = {}
        self._caches: dict[tuple[str, str | None], Cache] = {}
        self.sentiment: Sentiment = Sentiment(recorder)
        recorder.before_collection(self._refresh)

    def provider(
        self,
        name: str,
        *,
        server: str | None = None,
        rate_limit: float | None = None,
        is_rate_limit: Callable[[Any], object] | None = None,
        data_time: Callable[[Any], Timestamp | None] | None = None,
    ) -> Provider:
        """A data or broker API, the same one for the same name. What is left out stays as it was.

        Args:
            name: as it is to be called, one of few: binance, ibkr, newsapi, …
            server: host name, for the spans (``server.address``).
            rate_limit: requests, or weight, that it allows in a window; needed for
                ``trading.provider.rate_limit.used_ratio`` where its headers tell only what is used, as Binance's do.
            is_rate_limit: says of an exception, or of a response whose status is an error, whether it is about too many
                calls. Without it, class names (``RateLimitExceeded``, ``TooManyRequests``, …) and the statuses 418 and
                429 tell.
            data_time: finds the time of the newest data in what a call gives, None where there is none, for
                ``trading.provider.data.freshness``.
        """
        name = text_of(name)
        provider = self._providers.get(name)
        if provider is None:
            provider = Provider(self._recorder, name)
            if len(self._providers) < MOST_WORDS:  # beyond it metrics call them `other`, and nothing is kept
                provider = self._providers.setdefault(name, provider)
        if server is not None:
            provider.server = text_of(server)
        if rate_limit is not None:
            provider.rate_limit = rate_limit
        if is_rate_limit is not None:
            provider.is_rate_limit = is_rate_limit
        if data_time is not None:
            provider.data_time = data_time
        return provider

    def cache(self, name: str, *, system: str | None = None) -> Cache:
        """A cache, the same one for the same names.

        Args:
            name: as it is to be called, one of few: candles, quotes, …
            system: the product, as OpenTelemetry names it (``db.system.name``): redis, memcached; none for one in memory.
        """
        key = (text_of(name), None if system is None else text_of(system))
        cache = self._caches.get(key)
        if cache is None:
            cache = Cache(self._recorder, *key)
            if len(self._caches) < MOST_WORDS:
                cache = self._caches.setdefault(key, cache)
        return cache

    def database(
        self,
        system: str,
        *,
        namespace: str | None = None,
        pool: str | None = None,
        server: str | None = None,
        port: int | None = None,
    ) -> Database:
        """A database, by OpenTelemetry's conventions; with SQLAlchemy see `watch_engine`.

        Args:
            system: the product, as OpenTelemetry names it: postgresql, sqlite, mongodb, …
            namespace: the database in it (``db.namespace``).
            pool: the connection pool, one of few; the namespace, or else the system, when left out.
            server: host name.
            port: the server's port.
        """
        return Database(
            self._recorder,
            self._instruments,
            text_of(system),
            namespace=namespace,
            pool=pool,
            server=server,
            port=port,
        )

    def watch_engine(self, engine: Any, *, pool: str | None = None) -> Callable[[], None]:
        """Record operations and connection pool of an engine of SQLAlchemy; see `Database.watch`.

        Args:
            engine: a plain or an asynchronous one, of SQLAlchemy 2.0 or later.
            pool: what to call its pool; the database's name when left out.

        Returns:
            What ends it.
        """
        try:
            database = Database.of_engine(self._recorder, self._instruments, engine, pool)
            return database.watch(engine)
        except Exception as error:  # noqa: BLE001  the barrier: without it the engine works as it is
            report("watch_engine", error)
            return _nothing

    def _start_afresh(self) -> None:
        for cache in list(self._caches.values()):
            cache.reset_lock()

    def _refresh(self) -> None:
        for provider in list(self._providers.values()):
            provider.refresh()
        for cache in list(self._caches.values()):
            cache.refresh()


def _nothing() -> None:
    """What ends something that never began."""
