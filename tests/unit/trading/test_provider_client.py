"""A stand-in for a client observes its calls and is otherwise the client."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import AsyncMock, MagicMock

import pytest

from support.captured import Captured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace import Telemetry
    from ticktrace.trading.providers import Provider

CALLS = "trading.provider.api.calls"


class NetworkError(Exception):
    pass


class Exchange:
    """As ccxt's exchanges are: calls, helpers, settings, and methods that call others."""

    has = {"fetchOHLCV": True}  # noqa: RUF012  as ccxt does it

    def __init__(self) -> None:
        self.password = ""
        self.markets: dict[str, Any] = {}
        self.last_response_headers: dict[str, str] | None = None

    def load_markets(self) -> dict[str, Any]:
        self.markets = {"BTC/USDT": {}}
        return self.markets

    def fetch_ohlcv(self, symbol: str, limit: int = 1) -> list[list[float]]:
        """Fetch bars."""
        self.load_markets()
        self.last_response_headers = {"x-mbx-used-weight-1m": "600"}
        return [[1_700_000_000_000.0 + 60_000 * bar, 1, 2, 3, 4, 5e9] for bar in range(limit)]

    fetchOHLCV = fetch_ohlcv  # noqa: N815  ccxt has both

    async def watch_ticker(self, symbol: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"symbol": symbol, "timestamp": 1_700_000_030_000}

    def create_order(self, symbol: str) -> None:
        raise NetworkError(symbol)

    def price_to_precision(self, symbol: str, price: float) -> str:
        return f"{price:.2f}"

    @property
    def fetched(self) -> str:
        return "a property"


class Talkative:
    """Every special method that clients have."""

    def __init__(self) -> None:
        self.open = False
        self.items = {"a": 1}

    def __enter__(self) -> Self:
        self.open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.open = False

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return False

    def __getitem__(self, key: str) -> int:
        return self.items[key]

    def __setitem__(self, key: str, value: int) -> None:
        self.items[key] = value

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def __iter__(self) -> Iterator[str]:
        return iter(self.items)

    def __call__(self, value: int) -> int:
        return value + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Talkative) and other.items == self.items

    __hash__ = None  # type: ignore[assignment]  # as Python has it where only __eq__ is defined

    def fetch(self) -> bool:
        return self.open


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def venue(telemetry: Telemetry) -> Provider:
    return telemetry.trading.provider("venue", rate_limit=6_000)


async def test_plain_and_asynchronous_methods_are_calls_and_helpers_are_not(
    captured: Captured, venue: Provider
) -> None:
    exchange = venue.wrap(Exchange())
    assert len(exchange.fetch_ohlcv("BTC/USDT", limit=2)) == 2
    assert (await exchange.watch_ticker("BTC/USDT"))["symbol"] == "BTC/USDT"
    with pytest.raises(NetworkError, match="BTC"):
        exchange.create_order("BTC/USDT")
    assert exchange.price_to_precision("BTC/USDT", 1) == "1.00"
    assert exchange.fetched == "a property"
    operations = {
        point.attributes["trading.provider.operation"]: point.value for point in captured.points(CALLS)
    }
    assert operations == {"fetch_ohlcv": 1, "watch_ticker": 1, "create_order": 1}  # load_markets: its own
    assert captured.value("trading.provider.api.errors", error__type="NetworkError") == 1


def test_headers_and_times_of_known_shapes_are_read(
    telemetry: Telemetry, captured: Captured, venue: Provider
) -> None:
    telemetry.trading.use_clock(lambda: 1_700_000_100.0)
    exchange = venue.wrap(Exchange())
    exchange.fetch_ohlcv("BTC/USDT", limit=2)
    exchange.fetchOHLCV("BTC/USDT")
    asyncio.run(exchange.watch_ticker("BTC/USDT"))
    assert captured.value("trading.provider.rate_limit.used_ratio") == 0.1
    ages = {
        point.attributes["trading.provider.operation"]: point.value
        for point in captured.points("trading.provider.data.freshness")
    }
    assert ages == {"fetch_ohlcv": 40, "fetchOHLCV": 100, "watch_ticker": 70}


def test_retry_after_is_found_where_ccxt_keeps_it(venue: Provider) -> None:
    class RateLimitExceeded(NetworkError):  # noqa: N818  ccxt's name
        pass

    class Limited(Exchange):
        def fetch_ohlcv(self, symbol: str, limit: int = 1) -> list[list[float]]:
            self.last_response_headers = {"Retry-After": "30"}
            raise RateLimitExceeded

    with pytest.raises(RateLimitExceeded):
        venue.wrap(Limited()).fetch_ohlcv("BTC/USDT")
    assert 20 < venue.retry_after <= 30


def test_everything_else_is_the_clients_own(venue: Provider) -> None:
    client = Exchange()
    exchange = venue.wrap(client)
    exchange.password = "secret"  # noqa: S105  no password
    assert client.password == "secret"  # noqa: S105  no password
    exchange.load_markets()
    assert exchange.markets is client.markets
    assert exchange.has is client.has
    assert isinstance(exchange, Exchange)
    assert vars(exchange) is vars(client)
    assert dir(exchange) == dir(client)
    assert repr(exchange) == repr(client)
    assert hash(exchange) == hash(client)
    del exchange.password
    assert not hasattr(client, "password")
    with pytest.raises(AttributeError, match="'Exchange' object has no attribute 'nothing'"):
        exchange.nothing  # type: ignore[attr-defined]  # noqa: B018  that is the question


def test_methods_look_like_the_clients(venue: Provider) -> None:
    exchange = venue.wrap(Exchange())
    assert exchange.fetch_ohlcv is exchange.fetch_ohlcv
    assert (exchange.fetch_ohlcv.__name__, exchange.fetch_ohlcv.__doc__) == ("fetch_ohlcv", "Fetch bars.")
    assert (
        str(inspect.signature(exchange.fetch_ohlcv))
        == "(symbol: 'str', limit: 'int' = 1) -> 'list[list[float]]'"
    )
    assert inspect.iscoroutinefunction(exchange.watch_ticker)


def test_a_method_that_is_exchanged_is_observed_anew(captured: Captured, venue: Provider) -> None:
    client = Exchange()
    exchange: Any = venue.wrap(client)
    exchange.load_markets()
    client.load_markets = lambda: {"ETH/USDT": {}}  # type: ignore[method-assign]
    assert exchange.load_markets() == {"ETH/USDT": {}}
    assert captured.value(CALLS, trading__provider__operation="load_markets") == 2


async def test_special_methods_work_and_blocks_give_the_stand_in(captured: Captured, venue: Provider) -> None:
    client = Talkative()
    stand_in = venue.wrap(client)
    with stand_in as inside:
        assert inside.fetch()
    async with stand_in as inside:
        assert inside.fetch()
    assert not client.open
    assert captured.value(CALLS, trading__provider__operation="fetch") == 2
    stand_in["b"] = 2
    assert (len(stand_in), stand_in["b"], "b" in stand_in, list(stand_in)) == (2, 2, True, ["a", "b"])
    assert not stand_in
    assert stand_in(1) == 2
    assert stand_in == client
    assert client == stand_in
    assert stand_in == venue.wrap(client)
    with pytest.raises(TypeError, match="unhashable"):
        hash(stand_in)


def test_a_copy_is_a_copy_of_the_client(venue: Provider) -> None:
    client = Talkative()
    for twin in (
        copy.copy(venue.wrap(client)),
        copy.deepcopy(venue.wrap(client)),
        pickle.loads(pickle.dumps(venue.wrap(client))),  # noqa: S301  our own
    ):
        assert type(twin) is Talkative
        assert twin is not client
        assert twin == client


def test_the_application_says_which_methods_are_calls(captured: Captured, venue: Provider) -> None:
    exchange = venue.wrap(Exchange(), methods=["price_*"])
    exchange.price_to_precision("BTC/USDT", 1)
    exchange.fetch_ohlcv("BTC/USDT")
    assert captured.value(CALLS) == 1


async def test_mocks_stay_mocks(captured: Captured, venue: Provider) -> None:
    client = MagicMock()
    client.fetch_balance = AsyncMock(return_value={"total": 1})
    exchange = venue.wrap(client)
    exchange.fetch_ohlcv("BTC/USDT")
    exchange.fetch_ohlcv.assert_called_once_with("BTC/USDT")
    assert await exchange.fetch_balance() == {"total": 1}
    exchange.fetch_balance.assert_awaited_once()
    assert captured.value(CALLS) == 2


def test_a_client_that_cannot_be_stood_in_for_is_given_back(
    venue: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(type):
        @property
        def __doc__(cls) -> str:  # type: ignore[override]
            raise RuntimeError

    client = Odd("Client", (), {})()
    assert venue.wrap(client) is client
    assert "contained an internal error in provider.wrap" in caplog.text
