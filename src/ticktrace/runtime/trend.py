"""Where a figure is going: a straight line through its history, and when that reaches a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Trend", "fit"]

_FEWEST = 10
_LEAST_R2 = 0.5
_FARTHEST: Final = 24.0  # times as far ahead as was looked back: an hour of history tells about a day


class Trend(NamedTuple):
    """The line of least squares through a figure's history.

    Attributes:
        figure: its name in `Figures`.
        n: how many observations it goes through.
        seconds: the time between the first and the last of them.
        slope: change a second, in the figure's unit; None with fewer than two observations.
        r2: coefficient of determination, 0 to 1: how much of the ups and downs the line explains. 1 where there are
            none; None with fewer than two observations.
        limit: of this figure, None where it has none.
        time_to_limit: seconds from the last observation until the line reaches the limit; 0 when the last observation
            is beyond it. None where an answer would make no sense: there is no limit, fewer than ten observations,
            `r2` is below 0.5, the line does not rise, or it reaches the limit only after 24 times `seconds`.
    """

    figure: str
    n: int
    seconds: float
    slope: float | None
    r2: float | None
    limit: float | None
    time_to_limit: float | None


def fit(figure: str, times: Sequence[float], values: Sequence[float], limit: float | None) -> Trend:
    """Fit the line.

    Args:
        figure: its name.
        times: seconds, increasing.
        values: one at each time.
        limit: which must not be exceeded.
    """
    n = len(times)
    if n < 2 or times[-1] <= times[0]:  # noqa: PLR2004  a line needs two
        return Trend(figure, n, 0.0, None, None, limit, _beyond(values, limit))
    x = np.asarray(times, dtype=np.float64)
    y = np.asarray(values, dtype=np.float64)
    seconds = float(x[-1] - x[0])
    middle = y.mean()
    # About the mean, so that bytes and Unix seconds, large as they are, lose no digits.
    dx, dy = x - x.mean(), y - middle
    slope = float(dx @ dy / (dx @ dx))
    around = float(dy @ dy)
    left = dy - slope * dx
    r2 = 1.0 if around == 0 else min(1.0, max(0.0, 1.0 - float(left @ left) / around))
    time_to_limit = _beyond(values, limit)
    if time_to_limit is None and limit is not None and n >= _FEWEST and r2 >= _LEAST_R2 and slope > 0:
        ahead = (limit - (float(middle) + slope * float(dx[-1]))) / slope
        if ahead <= _FARTHEST * seconds:
            time_to_limit = max(0.0, ahead)
    return Trend(figure, n, seconds, slope, r2, limit, time_to_limit)


def _beyond(values: Sequence[float], limit: float | None) -> float | None:
    return 0.0 if limit is not None and values and values[-1] > limit else None
