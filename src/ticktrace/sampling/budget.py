"""The budget of kept traces: a token bucket that brakes before it is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ticktrace.sampling.tuning import Tuning

__all__ = ["Budget"]

# Shares of the bucket. Steady traffic settles where steering is neutral; below the knee busy keys brake
# hard; the reserve is left to rare keys.
_NEUTRAL = 0.75
_KNEE = 0.5
_RESERVE = 0.25


class Budget:
    """A token bucket: `target` tokens a second, at most `burst` of them, one for each kept trace.

    A bucket that merely drops when it is empty biases adjusted counts: nobody speaks for what was dropped.
    This one lowers the *probability* while it empties, by up to a million times, so that in practice
    some trace always stands for the rest; and as each probability depends on the past alone, never
    on the randomness of the trace at hand, the estimate stays unbiased. Only below one token does it refuse.
    """

    __slots__ = ("_at", "_burst", "_halvings", "_rate", "_tokens")

    def __init__(self, tuning: Tuning, now: float) -> None:
        self._at = now
        self._burst = self._rate = self._tokens = self._halvings = 0.0
        self._set(tuning)
        self._tokens = self._burst

    def retune(self, tuning: Tuning, now: float) -> None:
        """Follow new dials; the bucket stays as full as it was, in proportion."""
        share = self.refill(now)
        self._set(tuning)
        self._tokens = share * self._burst

    def _set(self, tuning: Tuning) -> None:
        self._rate = tuning.target or 0.0
        self._burst = tuning.burst
        # Halvings of the probability over a quarter of the bucket: 20 when it is large; fewer when it is so
        # small that each token would cost many halvings, which only adds variance.
        self._halvings = min(20.0, max(4.0, self._burst / 2))

    def refill(self, now: float) -> float:
        """Add what time has brought; returns how full the bucket is, from 0 to 1."""
        elapsed = now - self._at
        if elapsed > 0:
            self._at = now
            self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
        return self._tokens / self._burst

    def steer(self, share: float) -> float:
        """The factor, 1/2 to 2, that makes up for errors of the rate estimate at this fill."""
        return float(2.0 ** (4.0 * (max(share, _KNEE) - _NEUTRAL)))

    @property
    def exhausted(self) -> bool:
        """Whether no token is left."""
        return self._tokens < 1.0

    def brake(self, share: float, *, rare: bool) -> float:
        """The factor, at most 1, that stretches what is left; 0 when no token is left."""
        if self._tokens < 1.0:
            return 0.0
        knee = _RESERVE if rare else _KNEE
        if share >= knee:
            return 1.0
        return float(2.0 ** (-self._halvings * (knee - share) / (_KNEE - _RESERVE)))

    def spend(self) -> None:
        """Take the token of a kept trace."""
        self._tokens -= 1.0
