"""Two ways to trade a breakout: jump on it (momentum), or wait until the market comes back to the level (retest)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from breakout_bot.conditions import Condition

if TYPE_CHECKING:
    from breakout_bot.indicators import Window

__all__ = ["Direction", "Momentum", "Retest", "Setup", "Strategy"]

Direction = Literal["long", "short"]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a strategy thinks of the newest candle: every condition with its value, and the trade if all of them hold."""

    strategy: str
    direction: Direction
    conditions: tuple[Condition, ...]
    order_type: Literal["market", "limit"]
    entry: float
    stop: float
    target: float
    confidence: float


class Strategy(Protocol):
    """A strategy watches every candle and may be asked for its setup after each."""

    name: str

    def observe(self, window: Window) -> None: ...

    def evaluate(self, window: Window) -> Setup: ...


class Momentum:
    """Buy strength: a strong bar, on rising volume, that closes outside the channel in the direction of the trend."""

    name = "momentum"

    def __init__(
        self, *, min_surge: float = 1.3, min_body: float = 0.5, stop_atr: float = 2.0, target_atr: float = 4.0
    ) -> None:
        self.min_surge = min_surge
        self.min_body = min_body
        self.stop_atr = stop_atr
        self.target_atr = target_atr

    def observe(self, window: Window) -> None:
        """Momentum has no memory."""

    def evaluate(self, window: Window) -> Setup:
        candle, atr = window.last, window.atr
        middle = (window.channel_high + window.channel_low) / 2
        direction: Direction = "long" if candle.close >= middle else "short"
        sign = 1 if direction == "long" else -1
        level = window.channel_high if direction == "long" else window.channel_low
        beyond = sign * (candle.close - level) / atr if atr else 0.0
        trend = sign * (window.fast - window.slow) / atr if atr else 0.0
        height = candle.high - candle.low
        body = sign * (candle.close - candle.open) / height if height else 0.0
        conditions = [
            Condition("breakout", beyond, ">=", 0.1),
            Condition("body", body, ">=", self.min_body),
            Condition("trend", trend, ">=", 0.0),
        ]
        if window.has_volume:  # an index reports no volume; a condition that cannot be judged is not asked
            conditions.append(Condition("volume_surge", window.volume_ratio, ">=", self.min_surge))
        return Setup(
            self.name,
            direction,
            tuple(conditions),
            order_type="market",
            entry=candle.close,
            stop=candle.close - sign * self.stop_atr * atr,
            target=candle.close + sign * self.target_atr * atr,
            confidence=_confidence(beyond / 2, body),
        )


class Retest:
    """Buy patience: after a breakout, wait until the market touches the broken level again and holds it."""

    name = "retest"

    def __init__(
        self,
        *,
        max_age: int = 40,
        min_age: int = 3,
        reach: float = 0.5,
        stop_atr: float = 1.5,
        target_atr: float = 3.0,
    ) -> None:
        self.max_age = max_age
        self.min_age = min_age
        self.reach = reach
        self.stop_atr = stop_atr
        self.target_atr = target_atr
        self._level = 0.0
        self._direction: Direction = "long"
        self._age: int | None = None

    def observe(self, window: Window) -> None:
        """Remember the level that was broken last, and how long ago."""
        if self._age is not None:
            self._age += 1
            if self._age > self.max_age or self._beyond(window) < -1.0:  # stale, or the breakout failed
                self._age = None
        if not window.ready or self._age is not None:
            return
        if window.last.close > window.channel_high:
            self._level, self._direction, self._age = window.channel_high, "long", 0
        elif window.last.close < window.channel_low:
            self._level, self._direction, self._age = window.channel_low, "short", 0

    def evaluate(self, window: Window) -> Setup:
        candle, atr = window.last, window.atr
        sign = 1 if self._direction == "long" else -1
        touch = candle.low if self._direction == "long" else candle.high
        distance = sign * (touch - self._level) / atr if atr else 0.0
        known = self._age is not None
        conditions = [Condition("level_known", float(known), ">=", 1.0)]
        if known:
            conditions += [
                Condition("level_age", float(self._age or 0), ">=", self.min_age),
                Condition("retest_distance", distance, "<=", self.reach),
                Condition("hold", self._beyond(window), ">=", 0.0),
                Condition("rejection", sign * (candle.close - candle.open), ">=", 0.0),
            ]
        entry = candle.close - sign * 0.1 * atr  # a little patience is the point of a retest
        return Setup(
            self.name,
            self._direction,
            tuple(conditions),
            order_type="limit",
            entry=entry,
            stop=self._level - sign * self.stop_atr * atr,
            target=entry + sign * self.target_atr * atr,
            confidence=_confidence(1 - abs(distance), self._beyond(window)),
        )

    def _beyond(self, window: Window) -> float:
        """How far the close is on the right side of the level, in average true ranges."""
        sign = 1 if self._direction == "long" else -1
        return sign * (window.last.close - self._level) / window.atr if window.atr else 0.0


def _confidence(*parts: float) -> float:
    """The mean of the parts, each clipped to 0..1."""
    return sum(min(1.0, max(0.0, part)) for part in parts) / len(parts)
