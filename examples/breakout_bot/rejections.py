"""How the paper exchange says no. By names like these, which most clients use, ticktrace tells what a failed call means."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "ExchangeError",
    "OrderRejectedError",
    "RateLimitExceededError",
    "RejectReason",
    "RequestTimeoutError",
]


class RejectReason(StrEnum):
    """Why an order was turned down, in the words of ticktrace's `trading.order.reject.reason`."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    INVALID_ORDER = "invalid_order"
    RATE_LIMITED = "rate_limited"
    MARKET_CLOSED = "market_closed"
    DUPLICATE = "duplicate"
    NETWORK = "network"


class ExchangeError(Exception):
    """The exchange has said no."""


class OrderRejectedError(ExchangeError):
    """The order never came into being."""

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class RequestTimeoutError(OrderRejectedError):
    """The exchange has said nothing: the request, or the answer, was lost."""

    def __init__(self, seconds: float) -> None:
        super().__init__(RejectReason.NETWORK, f"the request timed out after {seconds:g} s")


class RateLimitExceededError(OrderRejectedError):
    """Too many requests; there will be room for another in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(RejectReason.RATE_LIMITED, message)
        self.retry_after = retry_after
