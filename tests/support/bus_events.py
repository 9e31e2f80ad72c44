"""Events as bots have them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Order", "StopOrder", "Tick"]


@dataclass(frozen=True, slots=True)
class Tick:
    """Frozen and slotted, as events of fast bots are: nothing can be attached to it."""

    symbol: str
    price: float


@dataclass
class Order:
    symbol: str


class StopOrder(Order):
    pass
