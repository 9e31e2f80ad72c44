"""Whether the process is well, and if not, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ticktrace.runtime.figures import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ticktrace.runtime.figures import Figures
    from ticktrace.runtime.trend import Trend

__all__ = ["Health", "Reason", "judge"]

Status = Literal["healthy", "warning", "critical"]
_ORDER: dict[Status, int] = {"healthy": 0, "warning": 1, "critical": 2}


class Reason(NamedTuple):
    """One thing that is not as it should be.

    Attributes:
        status: how bad it is.
        figure: the figure's name; ``observation`` where there are none.
        value: what it is; None where it is not known.
        limit: what it must not exceed.
        text: all of it in words.
    """

    status: Status
    figure: str
    value: float | None
    limit: float | None
    text: str


class Health(NamedTuple):
    """The state of the process.

    Attributes:
        status: the worst of the reasons', ``healthy`` without any.
        reasons: the worst first.
    """

    status: Status
    reasons: tuple[Reason, ...]


def judge(
    figures: Figures | None,
    limits: Mapping[str, float],
    exceeded: Iterable[str],
    trends: Iterable[Trend],
    *,
    warn_at: float,
    warn_before: float,
    silent_seconds: float | None,
) -> Health:
    """Judge the last observation.

    Args:
        figures: the last observation, None before the first.
        limits: by figure.
        exceeded: those that count as exceeded, since so many observations in a row were beyond them.
        trends: of the figures.
        warn_at: the share of a limit at which there is a warning.
        warn_before: a trend that reaches its limit within so many seconds is a warning.
        silent_seconds: for how long there has been no observation, where that is too long.
    """
    reasons: list[Reason] = []
    if silent_seconds is not None:
        text = f"nothing was observed for {silent_seconds:.0f} s"
        reasons.append(Reason("warning", "observation", None, None, text))
    critical = set(exceeded)
    for name, limit in limits.items():
        value: float | None = getattr(figures, name, None)
        if name in critical:
            beyond = "beyond" if value is None or value > limit else "just back from beyond"
            text = f"{name} is {in_words(name, value)}, {beyond} its limit of {in_words(name, limit)}"
            reasons.append(Reason("critical", name, value, limit, text))
        elif value is not None and value >= warn_at * limit:
            text = f"{name} is {in_words(name, value)}, near its limit of {in_words(name, limit)}"
            reasons.append(Reason("warning", name, value, limit, text))
    named = {reason.figure for reason in reasons}
    for trend in trends:
        ahead = trend.time_to_limit
        if ahead is not None and ahead <= warn_before and trend.figure not in named:
            value = getattr(figures, trend.figure, None)
            text = (
                f"{trend.figure} will reach its limit of {in_words(trend.figure, trend.limit)} in {ahead / 60:.0f} min"
                f" ({trend.n} observations, r² {trend.r2 or 0:.2f})"
            )
            reasons.append(Reason("warning", trend.figure, value, trend.limit, text))
    reasons.sort(key=lambda reason: -_ORDER[reason.status])
    return Health(reasons[0].status if reasons else "healthy", tuple(reasons))
