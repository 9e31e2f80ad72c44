"""One call to a data or broker API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from opentelemetry.semconv.attributes.http_attributes import HTTP_REQUEST_RESEND_COUNT
from opentelemetry.trace import SpanKind

from ticktrace import semconv
from ticktrace.engine import SpanStart, contained, text_of
from ticktrace.trading._block import Block
from ticktrace.trading.providers._faults import (
    Fault,
    fault_of,
    headers_of,
    response_status,
    retry_after,
)
from ticktrace.trading.providers._results import decorated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ticktrace.trading._time import Timestamp
    from ticktrace.trading.providers._provider import Provider

__all__ = ["ProviderCall"]

P = ParamSpec("P")
R = TypeVar("R")

_FIRST_ERROR = 400


class ProviderCall(Block):
    """A call, timed, with a CLIENT span; made by `Provider.call`. Use it in ``with``, ``async with``, or as a decorator.

    Records ``trading.provider.api.calls``, ``.duration``, ``.errors`` and ``.retries``,
    ``trading.provider.rate_limit.hits``, and what the provider records of it.
    """

    def __init__(self, provider: Provider, operation: str, looked_at: Any = None) -> None:
        super().__init__(provider.recorder)
        self.provider: Provider = provider
        self.operation: str = operation
        self.failed: str | None = None
        self._client = looked_at
        self._labels = provider.labels(operation)
        self._retries = 0
        self._from_cache = False
        self._attributes: dict[str, Any] = {}
        self._fault: Fault | None = None

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, of any kind, so that each call of it is a call to the provider."""
        return decorated(lambda: ProviderCall(self.provider, self.operation), function)

    # What the block may tell.

    @contained(None)
    def answered(self, result: object) -> None:
        """The provider gave this: its status, headers and data time are read, where it has any.

        A wrapped call, and `Provider.call` with a function, do so by themselves.

        Args:
            result: a response (of requests, httpx, aiohttp, urllib, …), or the data itself.
        """
        status = response_status(result)
        if status is not None:
            self._attributes[semconv.HTTP_RESPONSE_STATUS_CODE] = status
            if status >= _FIRST_ERROR:
                self._fault = fault_of(_Refused(result, status), self.provider.is_rate_limit)
        headers = headers_of(result)
        if headers is None and self._client is not None:  # ccxt keeps those of its last response
            headers = headers_of(self._client, "last_response_headers")
        if headers is not None:
            self.provider.headers(headers)
        self.provider.look_for_time(result, self.operation, guess=self._client is not None)

    @contained(None)
    def data(self, at: Timestamp) -> None:
        """The newest data in the answer is of this time (``trading.provider.data.freshness``)."""
        self.provider.data(at, self.operation)

    @contained(None)
    def cached(self, hit: bool = True) -> None:
        """A cache was asked before the provider. With a hit the provider is not called, so no call is counted."""
        self._from_cache = bool(hit)
        result = semconv.CacheResult.HIT if hit else semconv.CacheResult.MISS
        self._attributes[semconv.CACHE_RESULT] = result.value
        self.provider.cached(hit)

    @contained(None)
    def retry(self, error: BaseException | None = None, *, wait: float | None = None) -> None:
        """An attempt has failed and will be made again within this block.

        Args:
            error: why.
            wait: seconds until then, which are recorded as held back when the failure was a rate limit.
        """
        self._retries += 1
        self._attributes[HTTP_REQUEST_RESEND_COUNT] = self._retries
        self.provider.retried(self.operation, error, wait=wait, span=self.span)

    @contained(None)
    def rate_limited(self, retry_after: float | None = None) -> None:
        """The provider refused the call because there were too many, in a way that cannot be seen from outside.

        Args:
            retry_after: how long it wants to be left alone, seconds.
        """
        self._fault = Fault("rate_limited", None, True, True, retry_after)

    @contained(None)
    def fail(self, error_type: str, *, answered: bool = True) -> None:
        """The call failed without an exception.

        Args:
            error_type: the provider's code, or a word, one of few.
            answered: whether the provider gave an answer at all.
        """
        self._fault = Fault(text_of(error_type), None, False, answered, None)

    # What follows from it.

    def span_start(self) -> SpanStart:
        """The span, with the provider's real name and operation."""
        provider = self.provider
        attributes = {
            **self.recorder.labels,
            semconv.PROVIDER_NAME: provider.name,
            semconv.PROVIDER_OPERATION: self.operation,
        }
        if provider.server is not None:
            attributes[semconv.SERVER_ADDRESS] = provider.server
        return SpanStart(f"{semconv.SPAN_PROVIDER} {self.operation}", attributes, SpanKind.CLIENT)

    def span_end(self) -> Mapping[str, Any]:
        """What came back."""
        return self._attributes

    def leaving(self, error: BaseException | None) -> None:
        """Tell what an exception means."""
        super().leaving(error)
        if error is not None and self.failed is not None:
            self._fault = fault_of(error, self.provider.is_rate_limit)
            if self._fault.rate_limited and self._fault.retry_after is None and self._client is not None:
                asked = retry_after(_Headers(headers_of(self._client, "last_response_headers")))
                self._fault = self._fault._replace(retry_after=asked)
        fault = self._fault
        if fault is not None:
            self.failed = fault.kind
            if fault.status is not None:
                self._attributes[semconv.HTTP_RESPONSE_STATUS_CODE] = fault.status
            if fault.retry_after is not None:
                self._attributes[semconv.PROVIDER_RETRY_AFTER] = fault.retry_after

    def measure(self, seconds: float) -> None:
        """Record the call, unless a cache answered it."""
        if self._from_cache:
            return
        recorder = self.recorder
        labels = self.with_error(self._labels)
        recorder.counter("provider.api.calls", labels).add(1)
        recorder.histogram("provider.api.duration", labels).record(seconds)
        fault = self._fault
        if fault is None:
            self.provider.answers(yes=True)
            return
        recorder.counter("provider.api.errors", labels).add(1)
        if fault.answered is not None:
            self.provider.answers(yes=fault.answered)
        if fault.rate_limited:
            self.provider.refused(self.operation, fault.retry_after, span=self.span)


class _Headers:
    """Headers that a client keeps apart from its exceptions, as ccxt does."""

    def __init__(self, headers: Mapping[str, Any] | None) -> None:
        self.headers = headers


class _Refused(Exception):  # noqa: N818  never raised: it makes a fault of a response
    """A response whose status says that it is none."""

    def __init__(self, response: object, status: int) -> None:
        super().__init__(status)
        self.response = response
        self.status = status
        self.retry_after = retry_after(response)
