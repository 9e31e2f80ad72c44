"""A provider: a data or broker API that the bot calls, and how it has been answering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from opentelemetry.trace import get_current_span

from ticktrace import semconv
from ticktrace.engine import contained, report, text_of
from ticktrace.trading._jitter import held_back
from ticktrace.trading._share import Share
from ticktrace.trading._tell import tell
from ticktrace.trading._time import usable_seconds
from ticktrace.trading.checks import finite
from ticktrace.trading.providers._call import ProviderCall
from ticktrace.trading.providers._client import observed_client
from ticktrace.trading.providers._faults import fault_of, used_ratio
from ticktrace.trading.providers._results import observe
from ticktrace.trading.providers._times import MARKET_DATA, newest_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Span

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._time import Timestamp

__all__ = ["Provider", "Waiting"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")

# The verbs that clients give to what goes over the network; their helpers (parse_*, safe_*, price_to_precision) do not.
NETWORK_VERBS = (
    *(
        "fetch*",
        "watch*",
        "create*",
        "cancel*",
        "edit*",
        "load_markets",
        "loadMarkets",
        "get_*",
        "list_*",
        "query*",
    ),
    *(
        "place*",
        "submit*",
        "replace*",
        "close_*",
        "request*",
        "transfer*",
        "withdraw*",
        "set_leverage*",
        "setLeverage",
    ),
    *("set_margin*", "setMargin*", "public*", "private*", "get", "post", "put", "delete", "patch"),
)


class Waiting:
    """The time that a call is held back; made by `Provider.waiting`. Use it in ``with`` or ``async with``."""

    __slots__ = ("_operation", "_provider", "_started")

    def __init__(self, provider: Provider, operation: str | None) -> None:
        self._provider = provider
        self._operation = operation
        self._started = 0

    def __enter__(self) -> Self:
        self._started = self._provider.recorder.now()
        return self

    def __exit__(self, *_: object) -> None:
        self._provider.waited((self._provider.recorder.now() - self._started) * 1e-9, self._operation)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


class Provider:
    """A data or broker API; made by `Trading.provider`. Thread-safe.

    Attributes:
        name: as the application calls it. Metrics carry it only while such names are few.
        server: host name, for the spans.
        rate_limit: what it allows in a window, where its headers tell only what is used.
        is_rate_limit: the application's opinion on whether an exception or a response is about too many calls.
        data_time: the application's way to find the time of the newest data in an answer.
        recorder: what it records with.
    """

    def __init__(self, recorder: Recorder, name: str) -> None:
        self.recorder: Recorder = recorder
        self.name: str = name
        self.server: str | None = None
        self.rate_limit: float | None = None
        self.is_rate_limit: Callable[[Any], object] | None = None
        self.data_time: Callable[[Any], Timestamp | None] | None = None
        self._label: dict[str, Any] = {semconv.PROVIDER_NAME: recorder.words.providers.label(name)}
        self._by_operation: dict[str, dict[str, Any]] = {}
        self._answers = Share()
        self._lookups = Share()
        self._newest: dict[str | None, float] = {}
        self._leave_until = 0

    # Calls.

    @overload
    def call(self, operation: str, /) -> ProviderCall: ...

    @overload
    def call(self, operation: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def call(
        self, operation: str, function: Callable[..., Any] | None = None, /, *args: Any, **kwargs: Any
    ) -> Any:
        """A call to the provider: made here, as a block, or by each call of a decorated function.

            candles = binance.call("fetch_ohlcv", client.fetch_ohlcv, "BTC/USDT", "1m")
            candles = await binance.call("fetch_ohlcv", client.fetch_ohlcv, "BTC/USDT", "1m")
            async with binance.call("fetch_ohlcv") as call: ...

            @binance.call("fetch_ohlcv")
            async def fetch(symbol): ...

        Coroutine functions, functions that return awaitables or futures, and those that return iterators or
        asynchronous iterators are measured until they are done; the caller gets what it would have got.

        Args:
            operation: what is called, one of few: a method, or a path's template; never a full path.
            function: what to call now.
            args: its arguments.
            kwargs: its keyword arguments.

        Returns:
            What the function returns; without a function the block, which is a decorator as well.
        """
        operation = text_of(operation)
        if function is None:
            return ProviderCall(self, operation)
        return observe(lambda: ProviderCall(self, operation), function, args, kwargs)

    def wrap(self, client: C, methods: Sequence[str] = NETWORK_VERBS) -> C:
        """A stand-in for a client, such as ccxt's, whose methods are calls to this provider.

        Attributes, special methods and everything that does not look like a call over the network go to the client
        itself, also what is set. Calls that the client makes to itself are not seen.

        Args:
            client: any object, with plain or asynchronous methods.
            methods: patterns of the names of those that are calls.
        """
        try:
            return observed_client(
                client, tuple(methods), lambda operation: ProviderCall(self, operation, client)
            )
        except Exception as error:  # noqa: BLE001  a client may be anything; without us it works as it is
            report("provider.wrap", error)
            return client

    # What the application tells.

    @contained(None)
    def data(self, at: Timestamp, operation: str | None = None) -> None:
        """The newest data given is of this time; ``trading.provider.data.freshness`` is its age from now on.

        Args:
            at: an aware datetime or Unix s, ms, µs or ns.
            operation: what gave it.
        """
        seconds = usable_seconds(at)
        if seconds is not None:
            key = None if operation is None else self.recorder.words.operations.label(operation)
            self._newest[key] = max(seconds, self._newest.get(key, seconds))

    @contained(None)
    def cached(self, hit: bool) -> None:
        """A cache in front of the provider was asked (``trading.provider.cache.hit_rate``, of the last hundred)."""
        self.recorder.gauge("provider.cache.hit_rate", self._label).set(self._lookups.add(hit))

    def waiting(self, operation: str | None = None) -> Waiting:
        """A block in which a call is held back, for ``with`` or ``async with``; see `waited`."""
        return Waiting(self, None if operation is None else text_of(operation))

    @contained(None)
    def waited(self, seconds: float, operation: str | None = None) -> None:
        """A call was held back so long to stay within the rate limit (``trading.provider.rate_limit.wait``)."""
        waited = self._held_back(seconds, operation)
        if waited is None:
            return
        tell(semconv.EVENT_PROVIDER_WAITED, {semconv.PROVIDER_NAME: self.name, semconv.ELAPSED: waited})

    @contained(None)
    def rate_limit_used(self, ratio: float) -> None:
        """This part of the rate limit is used up, 0 to 1 (``trading.provider.rate_limit.used_ratio``)."""
        used = finite(ratio)
        if used is not None:
            self.recorder.gauge("provider.rate_limit.used_ratio", self._label).set(used)

    @contained(None)
    def headers(self, headers: Mapping[str, Any]) -> None:
        """Read what a response's headers say of the rate limit: Binance's, Bybit's and ``X-RateLimit-*`` are known."""
        ratio = used_ratio(headers, self.rate_limit)
        if ratio is not None:
            self.rate_limit_used(ratio)

    @contained(None)
    def retried(
        self,
        operation: str,
        error: BaseException | None = None,
        *,
        wait: float | None = None,
        span: Span | None = None,
    ) -> None:
        """An attempt has failed and is made again (``trading.provider.api.retries``), as a retrying library tells.

        Args:
            operation: what is called.
            error: why it failed.
            wait: seconds until the next attempt.
            span: where it is told of; the current one by default.
        """
        labels = self.labels(operation)
        attributes: dict[str, Any] = {semconv.PROVIDER_NAME: self.name}
        told = get_current_span() if span is None else span
        if error is not None:
            fault = fault_of(error, self.is_rate_limit)
            attributes[semconv.ERROR_TYPE] = fault.kind
            if fault.rate_limited:
                self.refused(operation, fault.retry_after, span=told)
                self._held_back(wait, operation, ahead=True)
            labels = {**labels, semconv.ERROR_TYPE: self.recorder.words.errors.label(fault.kind)}
        if (seconds := finite(wait)) is not None:
            attributes[semconv.ELAPSED] = seconds
        self.recorder.counter("provider.api.retries", labels).add(1)
        if told.is_recording():  # behind a queue the current span may be over
            told.add_event(semconv.EVENT_PROVIDER_RETRIED, attributes)

    # What it knows.

    @property
    def retry_after(self) -> float:
        """Seconds that the provider still wants to be left alone, as its last refusal said; 0 when it does not."""
        return max(0.0, (self._leave_until - self.recorder.now()) * 1e-9)

    def labels(self, operation: str | None) -> dict[str, Any]:
        """The labels of an operation's instruments."""
        if operation is None:
            return self._label
        labels = self._by_operation.get(operation)
        if labels is None:
            named = self.recorder.words.operations.label(operation)
            labels = {**self._label, semconv.PROVIDER_OPERATION: named}
            if named == operation:  # beyond the limit nothing is kept
                self._by_operation[operation] = labels
        return labels

    def _held_back(
        self, seconds: float | None, operation: str | None, *, ahead: bool = False
    ) -> float | None:
        waited = finite(seconds)
        if waited is None or waited < 0:
            return None
        self.recorder.histogram("provider.rate_limit.wait", self.labels(operation)).record(waited)
        held_back(self.recorder, waited, self.name, ahead=ahead)
        return waited

    def answers(self, *, yes: bool) -> None:
        """The provider has given an answer, or none."""
        self.recorder.gauge("provider.available", self._label).set(int(yes))
        self.recorder.gauge("provider.availability", self._label).set(self._answers.add(yes))

    def refused(self, operation: str, retry_after: float | None, *, span: Span) -> None:
        """The provider has refused a call because there were too many."""
        self.recorder.counter("provider.rate_limit.hits", self.labels(operation)).add(1)
        attributes: dict[str, Any] = {semconv.PROVIDER_NAME: self.name}
        if retry_after is not None:
            self._leave_until = self.recorder.now() + round(min(retry_after, 1e9) * 1e9)
            attributes[semconv.PROVIDER_RETRY_AFTER] = retry_after
        if span.is_recording():
            span.add_event(semconv.EVENT_PROVIDER_RATE_LIMITED, attributes)

    def look_for_time(self, result: object, operation: str, *, guess: bool) -> None:
        """Find the time of the newest data in an answer: as the application says, or, for a known client, by its shape."""
        time: Timestamp | None = None
        if self.data_time is not None:
            time = self.data_time(result)
        elif guess and operation.lower().replace("_", "") in MARKET_DATA:
            time = newest_time(result)
        if time is not None:
            self.data(time, operation)

    @contained(None)
    def refresh(self) -> None:
        """Before metrics are read: set the age of the newest data, where the market has a present to tell it from."""
        now = self.recorder.market_now
        if now is None or not self._newest:
            return
        present = now()
        for operation, time in list(self._newest.items()):
            age = max(0.0, present - time)
            self.recorder.gauge("provider.data.freshness", self.labels(operation)).set(age)
