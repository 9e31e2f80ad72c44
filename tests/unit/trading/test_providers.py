"""Calls to data and broker APIs: counted, timed, traced; what their failures mean; rate limits, caches, freshness."""

from __future__ import annotations

import asyncio
import email.utils
import time
import urllib.error
from email.message import Message
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from support.captured import Captured
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry
    from ticktrace.trading.providers import Provider

CLOSE = 1_700_000_040
CALLS = "trading.provider.api.calls"
ERRORS = "trading.provider.api.errors"
HITS = "trading.provider.rate_limit.hits"


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def binance(telemetry: Telemetry) -> Provider:
    return telemetry.trading.provider("binance", server="api.binance.com")


# ccxt's hierarchy, by its names.
class BaseError(Exception):
    pass


class OperationFailed(BaseError):  # noqa: N818  ccxt's name
    pass


class NetworkError(OperationFailed):
    pass


class RateLimitExceeded(NetworkError):  # noqa: N818  ccxt's name
    pass


class DDoSProtection(NetworkError):  # noqa: N818  ccxt's name
    pass


class ExchangeNotAvailable(NetworkError):  # noqa: N818  ccxt's name
    pass


class OnMaintenance(ExchangeNotAvailable):
    pass


class RequestTimeout(NetworkError):  # noqa: N818  ccxt's name
    pass


class InvalidNonce(NetworkError):  # noqa: N818  ccxt's name
    pass


class ExchangeError(BaseError):
    pass


class InsufficientFunds(ExchangeError):  # noqa: N818  ccxt's name
    pass


class Response:
    """As requests, httpx and aiohttp have them."""

    def __init__(self, status_code: int, headers: dict[str, str] | None = None) -> None:
        self.status_code = status_code
        self.headers = headers or {}


class HTTPStatusError(Exception):
    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"status {status}")
        self.response = Response(status, headers)


def fails(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_a_call_is_counted_timed_and_traced_and_gives_what_the_function_gives(
    captured: Captured, binance: Provider
) -> None:
    def ticker(symbol: str, *, depth: int) -> tuple[str, int]:
        return symbol, depth

    assert binance.call("fetch_ticker", ticker, "BTC/USDT", depth=5) == ("BTC/USDT", 5)
    labels = {
        "trading__provider__name": "binance",
        "trading__provider__operation": "fetch_ticker",
        "trading__engine__mode": "live",
    }
    assert captured.value(CALLS, **labels) == 1
    assert captured.count("trading.provider.api.duration", **labels) == 1
    assert captured.points(ERRORS) == []
    span = captured.span("provider fetch_ticker")
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {}) == {
        "trading.engine.mode": "live",
        "trading.provider.name": "binance",
        "trading.provider.operation": "fetch_ticker",
        "server.address": "api.binance.com",
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_call_is_a_child_of_the_candle_and_current_while_it_runs(
    telemetry: Telemetry, captured: Captured, binance: Provider
) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle(close_time=CLOSE):
        inside = binance.call("fetch_ticker", trace.get_current_span)
        assert trace.get_current_span() is not inside
    candle, call = captured.span("candle 1m"), captured.span("provider fetch_ticker")
    assert call.parent is not None
    assert candle.context is not None
    assert call.parent.span_id == candle.context.span_id
    assert call.context is not None
    assert inside.get_span_context().span_id == call.context.span_id
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_block_and_the_decorator_record_what_the_call_does(captured: Captured, binance: Provider) -> None:
    with binance.call("depth"):
        pass

    @binance.call("depth")
    def depth(levels: int) -> int:
        """How deep the book is."""
        return levels

    assert [depth(3), depth(levels=4)] == [3, 4]
    assert (depth.__name__, depth.__doc__) == ("depth", "How deep the book is.")
    assert captured.value(CALLS, trading__provider__operation="depth") == 3
    assert len(captured.named("provider depth")) == 3


async def test_coroutines_are_measured_until_they_are_done(captured: Captured, binance: Provider) -> None:
    done = asyncio.Event()

    async def fetch(symbol: str) -> str:
        await done.wait()
        return symbol

    decorated = binance.call("decorated")(fetch)
    assert asyncio.iscoroutinefunction(decorated)
    tasks = [
        asyncio.create_task(binance.call("called", fetch, "A")),
        asyncio.create_task(decorated("B")),
    ]
    await asyncio.sleep(0)
    assert captured.points(CALLS) == []
    done.set()
    assert await asyncio.gather(*tasks) == ["A", "B"]
    async with binance.call("block"):
        await asyncio.sleep(0)
    for operation in ("called", "decorated", "block"):
        assert captured.value(CALLS, trading__provider__operation=operation) == 1
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_an_exception_goes_on_and_is_an_error_by_type(captured: Captured, binance: Provider) -> None:
    error = InsufficientFunds("no money")
    with pytest.raises(InsufficientFunds) as caught:
        binance.call("create_order", fails(error))
    assert caught.value is error
    for metric in (CALLS, ERRORS):
        assert captured.value(metric, error__type="InsufficientFunds") == 1
    assert captured.count("trading.provider.api.duration", error__type="InsufficientFunds") == 1
    span = captured.span("provider create_order")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "InsufficientFunds: no money"
    assert (span.attributes or {})["error.type"] == "InsufficientFunds"
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize(
    ("error", "kind", "limited", "available"),
    [
        (RateLimitExceeded("slow down"), "RateLimitExceeded", True, 1),
        (DDoSProtection("slow down"), "DDoSProtection", True, 1),
        (NetworkError("reset"), "NetworkError", False, 0),
        (RequestTimeout("late"), "RequestTimeout", False, 0),
        (ExchangeNotAvailable("down"), "ExchangeNotAvailable", False, 0),
        (OnMaintenance("closed"), "OnMaintenance", False, 0),
        (InvalidNonce("old"), "InvalidNonce", False, 1),
        (InsufficientFunds("none"), "InsufficientFunds", False, 1),
        (TimeoutError(), "TimeoutError", False, 0),
        (ConnectionResetError(), "ConnectionResetError", False, 0),
        (OSError("no route"), "OSError", False, 0),
        (HTTPStatusError(429), "429", True, 1),
        (HTTPStatusError(418), "418", True, 1),
        (HTTPStatusError(404), "404", False, 1),
        (HTTPStatusError(503), "503", False, 0),
        (urllib.error.HTTPError("http://x", 429, "many", Message(), None), "429", True, 1),
        (KeyError("ours"), "KeyError", False, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_an_exception_means_is_told_from_its_names_and_its_status(
    captured: Captured,
    binance: Provider,
    error: Exception,
    kind: str,
    *,
    limited: bool,
    available: int | None,
) -> None:
    with pytest.raises(type(error)):
        binance.call("fetch", fails(error))
    assert captured.value(ERRORS, error__type=kind) == 1
    assert captured.value(HITS) == int(limited)
    points = captured.points("trading.provider.available")
    assert [point.value for point in points] == ([] if available is None else [available])
    if isinstance(error, urllib.error.HTTPError):
        error.close()


def test_the_application_may_have_the_say_on_rate_limits(telemetry: Telemetry, captured: Captured) -> None:
    venue = telemetry.trading.provider("x", is_rate_limit=lambda error: "-1003" in str(error))
    for message in ("code -1003", "code -1100"):
        with pytest.raises(ExchangeError):
            venue.call("fetch", fails(ExchangeError(message)))
    assert captured.value(HITS) == 1


def test_retry_after_is_known_and_told(captured: Captured, binance: Provider) -> None:
    assert binance.retry_after == 0
    with pytest.raises(HTTPStatusError):
        binance.call("fetch", fails(HTTPStatusError(429, {"Retry-After": "120"})))
    assert 60 < binance.retry_after <= 120
    span = captured.span("provider fetch")
    assert (span.attributes or {})["http.response.status_code"] == 429
    assert (span.attributes or {})["trading.provider.retry_after"] == 120
    assert [event.name for event in span.events] == ["trading.provider.rate_limited", "exception"]


def test_retry_after_may_be_a_date(binance: Provider) -> None:
    at = email.utils.formatdate(time.time() + 3_600, usegmt=True)
    with pytest.raises(HTTPStatusError):
        binance.call("fetch", fails(HTTPStatusError(429, {"retry-after": at})))
    assert 3_000 < binance.retry_after <= 3_601


def test_a_response_with_an_error_status_is_a_failed_call_and_is_returned(
    captured: Captured, binance: Provider
) -> None:
    response = Response(429, {"Retry-After": "7"})
    assert binance.call("get", lambda: response) is response
    assert binance.call("get", lambda: Response(200)).status_code == 200
    assert captured.value(CALLS) == 2
    assert captured.value(ERRORS, error__type="429") == 1
    assert captured.value(HITS) == 1
    refused, good = captured.named("provider get")
    assert refused.status.status_code is StatusCode.ERROR
    assert (good.attributes or {})["http.response.status_code"] == 200


def test_a_block_may_tell_what_cannot_be_seen(captured: Captured, binance: Provider) -> None:
    with binance.call("quote") as call:
        call.rate_limited(retry_after=3)
    with binance.call("quote") as call:
        call.fail("E_CLOSED")
    with binance.call("quote") as call:
        call.fail("no_answer", answered=False)
    assert captured.value(HITS, trading__provider__operation="quote") == 1
    kinds = {point.attributes["error.type"]: point.value for point in captured.points(ERRORS)}
    assert kinds == {"rate_limited": 1, "E_CLOSED": 1, "no_answer": 1}
    assert captured.value("trading.provider.available") == 0
    assert captured.value("trading.provider.availability") == pytest.approx(2 / 3)


def test_retries_are_counted_by_what_went_wrong(captured: Captured, binance: Provider) -> None:
    with binance.call("fetch") as call:
        call.retry(RequestTimeout("late"))
        call.retry(RateLimitExceeded("slow down"), wait=1.5)
    binance.retried("fetch", ConnectionError())  # as tenacity's before_sleep tells
    retries = {
        point.attributes["error.type"]: point.value
        for point in captured.points("trading.provider.api.retries")
    }
    assert retries == {"RequestTimeout": 1, "RateLimitExceeded": 1, "ConnectionError": 1}
    assert captured.value(CALLS) == 1
    assert captured.points(ERRORS) == []
    assert captured.value(HITS) == 1
    assert captured.sum("trading.provider.rate_limit.wait") == 1.5
    span = captured.span("provider fetch")
    assert (span.attributes or {})["http.request.resend_count"] == 2
    assert [event.name for event in span.events] == [
        "trading.provider.retried",
        "trading.provider.rate_limited",
        "trading.provider.retried",
    ]


async def test_time_that_a_call_is_held_back(
    telemetry: Telemetry, captured: Captured, binance: Provider
) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle(close_time=CLOSE):
        binance.waited(0.25, "fetch_ohlcv")
    with binance.waiting("fetch_ohlcv"):
        pass
    async with binance.waiting():
        await asyncio.sleep(0)
    wait = "trading.provider.rate_limit.wait"
    assert captured.count(wait) == 3
    assert captured.count(wait, trading__provider__operation="fetch_ohlcv") == 2
    assert captured.sum(wait) >= 0.25
    (event,) = captured.span("candle 1m").events
    assert (event.name, (event.attributes or {})["trading.elapsed"]) == ("trading.provider.waited", 0.25)


@pytest.mark.parametrize(
    ("headers", "limit", "ratio"),
    [
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "25"}, None, 0.75),
        ({"ratelimit-limit": "10", "ratelimit-remaining": "10"}, None, 0.0),
        ({"X-Bapi-Limit": "50", "X-Bapi-Limit-Status": "49"}, None, 0.02),
        ({"x-mbx-used-weight-1m": "1200"}, 6_000, 0.2),
        ({"x-mbx-used-weight-1m": "1200"}, None, None),
        ({"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "25"}, None, None),
        ({}, 6_000, None),
    ],
)
def test_the_used_part_of_the_rate_limit_is_read_from_headers(
    telemetry: Telemetry,
    captured: Captured,
    headers: dict[str, str],
    limit: float | None,
    ratio: float | None,
) -> None:
    venue = telemetry.trading.provider("x", rate_limit=limit)
    venue.call("get", lambda: Response(200, headers))
    points = captured.points("trading.provider.rate_limit.used_ratio")
    assert [point.value for point in points] == ([] if ratio is None else [pytest.approx(ratio)])


def test_a_cache_in_front_of_the_provider_saves_calls(captured: Captured, binance: Provider) -> None:
    for hit in (True, True, False, True):
        with binance.call("fetch") as call:
            call.cached(hit)
    assert captured.value(CALLS) == 1
    assert captured.value("trading.provider.cache.hit_rate", trading__provider__name="binance") == 0.75


def test_availability_looks_back_on_a_hundred_calls(captured: Captured, binance: Provider) -> None:
    for _ in range(100):
        with pytest.raises(NetworkError):
            binance.call("fetch", fails(NetworkError()))
    for _ in range(25):
        binance.call("fetch", int)
    assert captured.value("trading.provider.availability") == 0.25
    assert captured.value("trading.provider.available") == 1


def test_freshness_is_the_age_of_the_newest_data_when_it_is_asked(
    telemetry: Telemetry, captured: Captured
) -> None:
    now = [CLOSE + 10.0]
    telemetry.trading.use_clock(lambda: now[0])
    venue = telemetry.trading.provider("x", data_time=lambda bars: bars[-1]["t"] if bars else None)
    venue.call("bars", lambda: [{"t": CLOSE * 1000}])
    venue.call("bars", lambda: [{"t": (CLOSE - 60) * 1000}])  # older data makes it no staler
    venue.call("bars", list)
    with venue.call("news") as call:
        call.data(at=CLOSE)
    freshness = "trading.provider.data.freshness"
    assert captured.value(freshness, trading__provider__operation="bars") == 10
    now[0] += 50
    assert captured.value(freshness, trading__provider__operation="bars") == 60
    assert captured.value(freshness, trading__provider__operation="news") == 60


def test_a_backtest_has_no_freshness(start: Callable[..., Telemetry]) -> None:
    telemetry = start(mode="backtest")
    telemetry.trading.provider("x").data(CLOSE)
    assert Captured(telemetry).points("trading.provider.data.freshness") == []


async def test_a_cancelled_call_is_an_error_and_says_nothing_of_the_provider(
    captured: Captured, binance: Provider
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(binance.call("fetch", hang))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert captured.value(ERRORS, error__type="CancelledError") == 1
    assert captured.points("trading.provider.available") == []


def test_the_same_name_is_the_same_provider_and_names_are_limited(
    telemetry: Telemetry, captured: Captured
) -> None:
    trading = telemetry.trading
    assert trading.provider("a") is trading.provider("a")
    for number in range(300):
        trading.provider(f"provider-{number}").call(f"operation-{number}", int)
    names = {point.attributes["trading.provider.name"] for point in captured.points(CALLS)}
    operations = {point.attributes["trading.provider.operation"] for point in captured.points(CALLS)}
    assert (len(names), len(operations)) == (200, 201)  # `a` was not called
    assert names & operations == {"other"}
    assert captured.value(CALLS) == 300


def test_a_broken_opinion_of_the_application_costs_no_call(telemetry: Telemetry, captured: Captured) -> None:
    def broken(_: object) -> Any:
        raise RuntimeError

    venue = telemetry.trading.provider("x", is_rate_limit=broken, data_time=broken)
    assert venue.call("fetch", lambda: [1]) == [1]
    with pytest.raises(KeyError):
        venue.call("fetch", fails(KeyError()))
    assert captured.value(CALLS) == 2
    assert captured.value(ERRORS, error__type="KeyError") == 1


@pytest.mark.parametrize(
    "wrong", [None, "text", float("nan"), 10**400, [], {}, object()], ids=lambda wrong: type(wrong).__name__
)
def test_no_wrong_value_reaches_the_bot(telemetry: Telemetry, wrong: Any) -> None:
    before = internal_errors()
    venue = telemetry.trading.provider(wrong, server=wrong, rate_limit=wrong)
    with venue.call(wrong) as call:
        call.answered(wrong)
        call.data(wrong)
        call.cached(wrong)
        call.retry(wrong, wait=wrong)
        call.rate_limited(wrong)
        call.fail(wrong)
    venue.waited(wrong, wrong)
    venue.rate_limit_used(wrong)
    venue.headers(wrong)
    venue.retried(wrong, wrong)
    assert venue.retry_after >= 0
    assert venue.call(wrong, lambda: wrong) is wrong
    assert internal_errors() - before < 6


def test_without_telemetry_calls_are_just_made(start: Callable[..., Telemetry]) -> None:
    venue = start(enabled=False).trading.provider("x")
    assert venue.call("fetch", lambda: 7) == 7
    with pytest.raises(KeyError):
        venue.call("fetch", fails(KeyError()))
    with venue.call("fetch") as call:
        call.retry()
    assert venue.retry_after == 0
