"""A rolling window over candles and the few numbers that the strategies read from it."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breakout_bot.market import Candle

__all__ = ["Window"]


class Window:
    """The last bars with average true range, two moving averages and average volume.

    Everything is relative to the market's own past, so Bitcoin at 42,000 and a coin at 0.0016 are treated alike.
    `channel` is the number of bars of the breakout channel, `warm_up` the number of bars before `ready`.
    """

    def __init__(self, channel: int = 20, warm_up: int = 60) -> None:
        self.channel = channel
        self.warm_up = warm_up
        self.bars = 0
        self.bars_since_gap = warm_up
        self.atr = 0.0
        self.usual_atr = 0.0
        self.fast = 0.0
        self.slow = 0.0
        self.volume = 0.0
        self.usual_volume = 0.0
        self.candle: Candle | None = None
        self.channel_high = 0.0
        self.channel_low = 0.0
        self._recent: deque[Candle] = deque(maxlen=channel)

    @property
    def ready(self) -> bool:
        return self.bars >= self.warm_up

    @property
    def last(self) -> Candle:
        """The newest candle; LookupError before the first one."""
        if self.candle is None:
            raise LookupError("the window is empty")
        return self.candle

    @property
    def has_volume(self) -> bool:
        """False for an index, whose files carry volume 0 in every bar."""
        return self.usual_volume > 0

    @property
    def volume_ratio(self) -> float:
        """Volume of the newest bar over the usual volume; 1 where the market reports none."""
        return self.last.volume / self.usual_volume if self.has_volume else 1.0

    def add(self, candle: Candle, *, after_gap: bool = False) -> None:
        """Take the next candle; after a gap the jump from the last close is not a range that anybody traded."""
        previous = self.candle
        # The channel is made of the bars before this one, otherwise nothing could ever break out of it.
        if self._recent:
            self.channel_high = max(bar.high for bar in self._recent)
            self.channel_low = min(bar.low for bar in self._recent)
        if previous is None or after_gap:
            true_range = candle.high - candle.low
        else:
            true_range = max(candle.high, previous.close) - min(candle.low, previous.close)
        self.bars += 1
        self.bars_since_gap = 0 if after_gap else self.bars_since_gap + 1
        self.atr = self._average(self.atr, true_range, 14)
        self.usual_atr = self._average(self.usual_atr, true_range, 240)
        self.fast = self._average(self.fast, candle.close, 12)
        self.slow = self._average(self.slow, candle.close, 48)
        self.volume = self._average(self.volume, candle.volume, 5)
        self.usual_volume = self._average(self.usual_volume, candle.volume, 120)
        self.candle = candle
        self._recent.append(candle)

    def closes(self, count: int) -> list[float]:
        """The newest `count` closes, oldest first."""
        return [bar.close for bar in islice(self._recent, max(0, len(self._recent) - count), None)]

    def _average(self, average: float, value: float, span: int) -> float:
        """An exponential average that starts as a plain mean, so that it is never dragged by an invented zero."""
        return average + (value - average) / min(span, self.bars)
