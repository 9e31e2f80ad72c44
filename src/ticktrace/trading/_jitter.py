"""What stopped a stage while it ran, as attributes and events of its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context

from ticktrace import semconv
from ticktrace.engine import Cause, Interruption, SpanEnd, StampEvent
from ticktrace.trading._keys import STAGE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ticktrace.trading._recorder import Recorder
    from ticktrace.trading._stage import Stage

__all__ = ["held_back", "with_interruptions"]

_MOST_EVENTS: Final = 8  # of one cause, the longest; the attribute has the sum of all

_KINDS: Final = {
    Cause.GC: (semconv.JITTER_GC_DURATION, semconv.EVENT_JITTER_GC),
    Cause.LOOP: (semconv.JITTER_LOOP_DURATION, semconv.EVENT_JITTER_LOOP),
    Cause.RATE_LIMIT: (semconv.JITTER_RATE_LIMIT_DURATION, semconv.EVENT_JITTER_RATE_LIMIT),
}


def with_interruptions(stage: Stage, end: SpanEnd) -> SpanEnd:
    """The end of a stage's span, with what stopped the stage; asked only for a span that somebody wants.

    What the stage waited for a rate limit was noted with it; garbage collections and blocks of the event loop were noted
    by whoever watches these.
    """
    recorder = stage.recorder
    found = (
        []
        if recorder.interruptions is None
        else recorder.interruptions.within(stage.started, stage.ended, stage.thread)
    )
    for wait in stage.held or ():
        if wait.began < stage.ended and wait.ended > stage.started:
            found.append(
                wait._replace(began=max(wait.began, stage.started), ended=min(wait.ended, stage.ended))
            )
    if not found:
        return end
    attributes: dict[str, Any] = dict(end.attributes)
    events = list(end.events)
    for cause, (key, event) in _KINDS.items():
        these = [one for one in found if one.cause == cause]
        if these:
            attributes[key] = _union(these)
            these.sort(key=_length)
            if cause == Cause.LOOP:
                attributes[semconv.JITTER_CALLBACK] = these[-1].name
            events += [
                StampEvent(event, _described(one), one.began)
                for one in sorted(these[-_MOST_EVENTS:], key=_began)
            ]
    events.sort(key=_at)
    return SpanEnd(attributes, events, end.status)


def _described(one: Interruption) -> dict[str, Any]:
    attributes: dict[str, Any] = {semconv.ELAPSED: one.seconds}
    if one.cause == Cause.GC:
        attributes[semconv.CPYTHON_GC_GENERATION] = int(one.name)
    elif one.cause == Cause.LOOP:
        attributes[semconv.JITTER_CALLBACK] = one.name
        if one.at:
            attributes[semconv.JITTER_AT] = one.at
    else:
        attributes[semconv.PROVIDER_NAME] = one.name
    return attributes


def _union(some: Iterable[Interruption]) -> float:
    """How long at least one of them went on, seconds: tasks may wait side by side."""
    total = reached = 0
    for one in sorted(some, key=_began):
        total += max(0, one.ended - max(one.began, reached))
        reached = max(reached, one.ended)
    return total / 1e9


def held_back(recorder: Recorder, seconds: float, provider: str, *, ahead: bool) -> None:
    """A call of the current stage was held back; the stages above it were, too.

    Args:
        recorder: what knows whether anybody wants to know.
        seconds: how long.
        provider: by whose rate limit.
        ahead: whether that time is still to come.
    """
    if recorder.interruptions is None:
        return
    stage: Stage | None = otel_context.get_value(STAGE_KEY)  # type: ignore[assignment]
    if stage is None:
        return
    now, length = recorder.now(), round(min(seconds, 1e6) * 1e9)
    began, ended = (now, now + length) if ahead else (now - length, now)
    stage.hold(Interruption(Cause.RATE_LIMIT, began, ended, provider))


def _length(one: Interruption) -> int:
    return one.ended - one.began


def _began(one: Interruption) -> int:
    return one.began


def _at(event: StampEvent) -> int:
    return event.at
