"""Fees in other currencies than the account's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace.trading.ledger._exact import ZERO

if TYPE_CHECKING:
    from decimal import Decimal

    from ticktrace.trading.ledger.markets import Markets
    from ticktrace.trading.ledger.state import State

__all__ = ["fee_of_fill"]

_MOST_CURRENCIES = 50
_REST = "other"


def fee_of_fill(
    state: State,
    markets: Markets,
    symbol: str,
    *,
    units: Decimal,
    price: Decimal,
    fee: Decimal,
    fee_currency: str,
    buys: bool,
) -> tuple[Decimal, Decimal]:
    """The units that a fill really moved, and its fee in the account's currency.

    Who buys 1 BTC/USDT at a spot venue and pays 0.001 BTC for it has got 0.999 BTC for the price of 1: the fee is taken from
    the units, and is worth what they cost. For any other currency a rate is needed, told as such or as the mark of its pair
    with the account's currency; without one the fee is kept apart.

    Raises:
        ValueError: the fee takes all that was bought.
    """
    account = state.currency
    if not fee or fee_currency in ("", account):
        return units, fee
    base, pair, quoted = symbol.partition("/")
    quote, derivative, settled = quoted.partition(":")
    if pair and not derivative and fee_currency == base:
        moved = units - fee if buys else units + fee
        if moved <= 0:
            raise ValueError(f"fee: {fee} {base} is as much as was filled")
        return moved, fee * price
    if not account and fee_currency == (settled or quote):
        return units, fee
    rate = state.rates.get(fee_currency) or (markets.price(f"{fee_currency}/{account}") if account else None)
    if rate is not None:
        return units, fee * rate
    known = fee_currency in state.unconverted or len(state.unconverted) < _MOST_CURRENCIES
    name = fee_currency if known else _REST
    state.unconverted[name] = state.unconverted.get(name, ZERO) + fee
    state.refused["fee_without_rate"] = state.refused.get("fee_without_rate", 0) + 1
    return units, ZERO
