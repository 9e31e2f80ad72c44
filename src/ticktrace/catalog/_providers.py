"""Rows about what the bot calls: data providers, sentiment sources, caches and databases."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import DATABASE, HOT_PATH, NETWORK, SCORE, TASK
from ticktrace.catalog._labels import MODE
from ticktrace.catalog._spec import counter, gauge, group, histogram, up_down_counter

__all__ = ["ROWS"]

_PROVIDER = (semconv.PROVIDER_NAME, *MODE)
_CALL = (semconv.PROVIDER_NAME, semconv.PROVIDER_OPERATION, *MODE)
_SENTIMENT = (semconv.PROVIDER_NAME, semconv.SYMBOL, *MODE)
_CACHE = (semconv.CACHE_NAME, semconv.DB_SYSTEM_NAME, *MODE)
_POOL = (semconv.DB_CONNECTION_POOL_NAME,)

ROWS = (
    *group(
        "data providers",
        counter(
            "trading.provider.api.calls",
            "{call}",
            "Calls to a data or broker API.",
            (*_CALL, semconv.ERROR_TYPE),
            "provider_api_calls_total",
        ),
        histogram(
            "trading.provider.api.duration",
            "s",
            "Time of one call to a data or broker API.",
            NETWORK,
            (*_CALL, semconv.ERROR_TYPE),
            "provider_api_duration_seconds",
        ),
        counter(
            "trading.provider.api.errors",
            "{error}",
            "Calls to a data or broker API that failed.",
            (*_CALL, semconv.ERROR_TYPE),
            "provider_api_errors_total",
        ),
        counter(
            "trading.provider.api.retries",
            "{retry}",
            "Attempts that were made again because the one before had failed.",
            (*_CALL, semconv.ERROR_TYPE),
        ),
        counter(
            "trading.provider.rate_limit.hits",
            "{hit}",
            "Calls that the provider refused because there were too many.",
            _CALL,
            "provider_rate_limit_hits_total",
        ),
        histogram(
            "trading.provider.rate_limit.wait",
            "s",
            "Time that a call was held back to stay within the rate limit.",
            TASK,
            _CALL,
        ),
        gauge(
            "trading.provider.rate_limit.used_ratio",
            "1",
            "Part of the rate limit that is used up, 0 to 1.",
            _PROVIDER,
        ),
        gauge(
            "trading.provider.cache.hit_rate",
            "{ratio}",
            "Part of the recent requests to a provider that its cache answered, 0 to 1.",
            _PROVIDER,
            "provider_cache_hit_rate",
        ),
        gauge(
            "trading.provider.data.freshness",
            "s",
            "Age of the newest data that a provider gave, as of the time of the export.",
            _CALL,
            "provider_data_freshness_seconds",
        ),
        gauge(
            "trading.provider.available",
            "{boolean}",
            "1 while a provider answers, else 0: whether the latest call was answered.",
            _PROVIDER,
        ),
        gauge(
            "trading.provider.availability",
            "{ratio}",
            "Part of the recent calls that the provider answered, be it with an error of its own, 0 to 1.",
            _PROVIDER,
        ),
    ),
    *group(
        "sentiment",
        histogram(
            "trading.sentiment.calculation.duration",
            "s",
            "Time to calculate a sentiment.",
            TASK,
            (*_SENTIMENT, semconv.ERROR_TYPE),
        ),
        counter("trading.sentiment.provider.usage", "{use}", "Uses of a sentiment source.", _SENTIMENT),
        histogram("trading.sentiment.score", "1", "Sentiment, -1 to 1.", SCORE, _SENTIMENT),
        counter(
            "trading.sentiment.divergences",
            "{divergence}",
            "Times that sources disagreed, or sentiment and price.",
            _SENTIMENT,
        ),
        gauge(
            "trading.sentiment.provider.weight",
            "{ratio}",
            "Weight of a source in the aggregated sentiment, 0 to 1.",
            _SENTIMENT,
        ),
    ),
    *group(
        "cache",
        histogram(
            "trading.cache.operation.duration",
            "s",
            "Time of one operation on a cache.",
            HOT_PATH,
            (*_CACHE, semconv.DB_OPERATION_NAME, semconv.ERROR_TYPE),
            "redis_latency_seconds",
        ),
        counter(
            "trading.cache.lookups",
            "{lookup}",
            "Lookups in a cache, those it answered and those it did not.",
            (*_CACHE, semconv.CACHE_RESULT),
        ),
        counter(
            "trading.cache.evictions",
            "{entry}",
            "Entries that a cache gave up to make room, or because they were too old.",
            _CACHE,
        ),
        gauge("trading.cache.size", "{entry}", "Entries that a cache holds.", _CACHE),
        gauge(
            "trading.cache.hit_rate",
            "{ratio}",
            "Part of the recent lookups that a cache answered, 0 to 1.",
            _CACHE,
            "redis_cache_hit_rate",
        ),
    ),
    # OpenTelemetry's conventions for database clients, word for word.
    *group(
        "database",
        histogram(
            "db.client.operation.duration",
            "s",
            "Duration of database client operations.",
            DATABASE,
            (
                semconv.DB_SYSTEM_NAME,
                semconv.DB_NAMESPACE,
                semconv.DB_OPERATION_NAME,
                semconv.ERROR_TYPE,
                semconv.SERVER_ADDRESS,
                semconv.SERVER_PORT,
            ),
            "database_query_duration_seconds",
        ),
        up_down_counter(
            "db.client.connection.count",
            "{connection}",
            "The number of connections that are currently in state described by the `state` attribute.",
            (*_POOL, semconv.DB_CONNECTION_STATE),
            "database_connection_pool_usage",
        ),
        up_down_counter(
            "db.client.connection.max",
            "{connection}",
            "The maximum number of open connections allowed.",
            _POOL,
        ),
        up_down_counter(
            "db.client.connection.pending_requests",
            "{request}",
            "The number of current pending requests for an open connection.",
            _POOL,
        ),
        counter(
            "db.client.connection.timeouts",
            "{timeout}",
            "The number of connection timeouts that have occurred trying to obtain a connection from the pool.",
            _POOL,
        ),
        histogram(
            "db.client.connection.create_time",
            "s",
            "The time it took to create a new connection.",
            DATABASE,
            _POOL,
        ),
        histogram(
            "db.client.connection.wait_time",
            "s",
            "The time it took to obtain an open connection from the pool.",
            DATABASE,
            _POOL,
        ),
        histogram(
            "db.client.connection.use_time",
            "s",
            "The time between borrowing a connection and returning it to the pool.",
            DATABASE,
            _POOL,
        ),
        recorded_by="otel",
    ),
)
