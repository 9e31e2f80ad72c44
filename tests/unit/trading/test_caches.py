"""Caches: hits and misses, evictions, size and speed, of whatever kind of cache."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry
    from ticktrace.trading import Cache

LOOKUPS = "trading.cache.lookups"
RATE = "trading.cache.hit_rate"
EVICTIONS = "trading.cache.evictions"
SIZE = "trading.cache.size"
DURATION = "trading.cache.operation.duration"


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def cache(telemetry: Telemetry) -> Cache:
    return telemetry.trading.cache("candles")


def looked_up(captured: Captured) -> tuple[float, float]:
    return (
        captured.value(LOOKUPS, trading__cache__result="hit"),
        captured.value(LOOKUPS, trading__cache__result="miss"),
    )


def test_what_the_application_says_is_counted(captured: Captured, cache: Cache) -> None:
    cache.miss()
    for _ in range(3):
        cache.hit()
    cache.evicted(2)
    cache.size(40)
    assert looked_up(captured) == (3, 1)
    labels = {"trading__cache__name": "candles", "trading__engine__mode": "live"}
    assert captured.value(RATE, **labels) == 0.75
    assert captured.value(EVICTIONS, **labels) == 2
    assert captured.value(SIZE, **labels) == 40


async def test_operations_are_timed_by_command_and_system(telemetry: Telemetry, captured: Captured) -> None:
    redis = telemetry.trading.cache("quotes", system="redis")
    with redis.operation("get") as operation:
        operation.hit()
    async with redis.operation("get") as operation:
        await asyncio.sleep(0)
        operation.miss()
    with pytest.raises(ConnectionError), redis.operation("set"):
        raise ConnectionError
    labels = {"trading__cache__name": "quotes", "db__system__name": "redis"}
    assert captured.count(DURATION, db__operation__name="get", **labels) == 2
    assert captured.count(DURATION, db__operation__name="set", error__type="ConnectionError", **labels) == 1
    assert captured.value(RATE, **labels) == 0.5
    assert captured.spans == ()


class Redis:
    """As redis-py's client is, plain and asynchronous in one."""

    def __init__(self) -> None:
        self.store: dict[str, bytes] = {}
        self.decode_responses = False

    def get(self, name: str) -> bytes | None:
        return self.store.get(name)

    def set(self, name: str, value: bytes) -> bool:
        self.store[name] = value
        return True

    async def hget(self, name: str, key: str) -> bytes | None:
        await asyncio.sleep(0)
        return self.store.get(f"{name}.{key}")

    def ping(self) -> bool:
        return True


async def test_a_clients_operations_are_timed_and_its_lookups_counted(
    telemetry: Telemetry, captured: Captured
) -> None:
    client = telemetry.trading.cache("quotes", system="redis").wrap(Redis())
    assert client.get("a") is None
    assert client.set("a", b"1")
    assert client.get("a") == b"1"
    assert await client.hget("h", "x") is None
    assert client.ping()
    assert client.decode_responses is False
    operations = {point.attributes["db.operation.name"]: point.count for point in captured.points(DURATION)}
    assert operations == {"get": 2, "set": 1, "hget": 1}
    assert looked_up(captured) == (1, 2)


class Bounded(OrderedDict[str, int]):
    """A dict that keeps the newest two."""

    maxsize = 2

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        while len(self) > self.maxsize:
            self.popitem(last=False)


def test_a_mapping_is_looked_up_and_evicts(captured: Captured, cache: Cache) -> None:
    store = cache.wrap(Bounded())
    assert "a" not in store  # a miss
    store["a"] = 1
    assert "a" in store  # whoever hears yes goes on to look
    assert store["a"] == 1  # a hit
    assert store.get("b") is None  # a miss
    with pytest.raises(KeyError):
        store["b"]  # a miss
    store["b"] = 2
    store["c"] = 3  # evicts a
    store["c"] = 4  # evicts nothing
    assert looked_up(captured) == (1, 3)
    assert captured.value(EVICTIONS) == 1
    assert captured.value(SIZE) == 2


def test_what_is_taken_out_was_not_evicted(captured: Captured, cache: Cache) -> None:
    store = cache.wrap({"a": 1, "b": 2, "c": 3, "d": 4})
    del store["a"]
    assert store.pop("b") == 2
    assert store.pop("b", None) is None
    store.popitem()
    store.update(e=5)
    store.clear()
    assert captured.points(EVICTIONS) == []
    assert captured.points(LOOKUPS) == []
    assert captured.value(SIZE) == 0


def test_a_mapping_keeps_what_else_it_has(cache: Cache) -> None:
    inner = Bounded(a=1)
    store = cache.wrap(inner)
    assert store.maxsize == 2
    assert (len(store), list(store), dict(store)) == (1, ["a"], {"a": 1})
    assert store == {"a": 1}
    assert copy.copy(store)["a"] == 1
    with pytest.raises(AttributeError):
        store.nothing  # type: ignore[attr-defined]  # noqa: B018  that is the question


def test_a_cached_function_is_asked_at_each_export(captured: Captured, cache: Cache) -> None:
    @cache.observe
    @functools.lru_cache(maxsize=2)
    def square(number: int) -> int:
        return number * number

    assert [square(3), square(3), square(4), square(3)] == [9, 9, 16, 9]
    assert captured.points(SIZE)[0].value == 2
    assert looked_up(captured) == (2, 2)
    assert captured.value(RATE) == 0.5
    square(3)
    assert looked_up(captured) == (3, 2)
    assert captured.value(RATE) == 1  # since the last export
    square.cache_clear()
    square(3)
    assert looked_up(captured) == (3, 3)
    assert captured.value(SIZE) == 1


def test_each_reader_sees_all_lookups(start: Callable[..., Telemetry]) -> None:
    telemetry = start()

    @functools.cache
    def one(_: int) -> int:
        return 1

    cache = telemetry.trading.cache("ones")
    assert cache.observe(one) is one
    one(1)
    captured = Captured(telemetry)
    assert looked_up(captured) == (0, 1)
    one(1)
    assert looked_up(captured) == (1, 1)  # two reads, nothing is counted twice
    assert looked_up(captured) == (1, 1)


def test_a_store_that_is_gone_is_forgotten(captured: Captured, cache: Cache) -> None:
    def make() -> None:
        local = cache.observe(functools.lru_cache(lambda: 1))
        local()
        cache.wrap({"a": 1})

    make()
    gc.collect()
    cache.wrap({"b": 2})
    gc.collect()
    assert captured.points(SIZE) == []
    assert len(cache._watched) <= 3
    cache.observe(functools.lru_cache(lambda: 2))
    assert len(cache._watched) == 1


def test_a_store_that_breaks_is_watched_no_longer(
    captured: Captured, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def cache_info(self) -> Any:
            raise RuntimeError

        def __call__(self) -> None: ...

    broken = cache.observe(Broken())
    kept = cache.wrap({"a": 1})
    assert captured.value(SIZE) == 1
    assert "contained an internal error in cache.observe" in caplog.text
    caplog.clear()
    assert captured.value(SIZE) == 1
    assert caplog.text == ""
    del broken, kept


def test_a_function_without_a_cache_is_left_alone(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    assert cache.observe(len) is len
    assert "has no cache_info()" in caplog.text


def test_the_same_names_are_the_same_cache_and_names_are_limited(
    telemetry: Telemetry, captured: Captured
) -> None:
    trading = telemetry.trading
    assert trading.cache("a") is trading.cache("a")
    assert trading.cache("a") is not trading.cache("a", system="redis")
    for number in range(300):
        trading.cache(f"cache-{number}").hit()
    assert len({point.attributes["trading.cache.name"] for point in captured.points(LOOKUPS)}) <= 201
    assert captured.value(LOOKUPS) == 300


@pytest.mark.parametrize(
    "wrong", [None, "text", float("nan"), 10**400, [], object()], ids=lambda wrong: type(wrong).__name__
)
def test_no_wrong_value_reaches_the_bot(telemetry: Telemetry, wrong: Any) -> None:
    cache = telemetry.trading.cache(wrong, system=wrong)
    cache.looked_up(hit=wrong)
    cache.evicted(wrong)
    cache.size(wrong)
    with cache.operation(wrong):
        pass
    assert cache.observe(wrong) is wrong
    cache.wrap(wrong)
    assert Captured(telemetry).value(LOOKUPS) == 1


def test_without_telemetry_caches_just_work(start: Callable[..., Telemetry]) -> None:
    cache = start(enabled=False).trading.cache("x")
    store = cache.wrap({"a": 1})
    assert store["a"] == 1
    assert cache.observe(functools.lru_cache(lambda: 1))() == 1
