"""Why an order failed, told from the exception that the venue's client raised."""

from __future__ import annotations

from ticktrace.semconv import OrderRejectReason

__all__ = ["reason_of"]

# Parts of exception class names, most specific first. ccxt's names lead: Binance's HTTP 429 raises DDoSProtection.
_BY_NAME = (
    ("insufficientfunds", OrderRejectReason.INSUFFICIENT_FUNDS),
    ("insufficient", OrderRejectReason.INSUFFICIENT_FUNDS),
    ("duplicate", OrderRejectReason.DUPLICATE),
    ("ratelimit", OrderRejectReason.RATE_LIMITED),
    ("ddosprotection", OrderRejectReason.RATE_LIMITED),
    ("toomanyrequests", OrderRejectReason.RATE_LIMITED),
    ("marketclosed", OrderRejectReason.MARKET_CLOSED),
    ("invalidorder", OrderRejectReason.INVALID_ORDER),
    ("badrequest", OrderRejectReason.INVALID_ORDER),
    ("badsymbol", OrderRejectReason.INVALID_ORDER),
    ("timeout", OrderRejectReason.NETWORK),
    ("network", OrderRejectReason.NETWORK),
    ("connection", OrderRejectReason.NETWORK),
    ("exchangenotavailable", OrderRejectReason.NETWORK),
)


def reason_of(error: BaseException) -> str:
    """The reason (FIX OrdRejReason 103) that an exception's class, or one of its bases, stands for."""
    for kind in type(error).__mro__:
        name = kind.__name__.lower().replace("_", "")
        for part, reason in _BY_NAME:
            if part in name:
                return reason.value
    if isinstance(error, OSError):
        return OrderRejectReason.NETWORK.value
    return OrderRejectReason.OTHER.value
