"""What is done when a limit is exceeded: in order, once a crossing, and written down."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ticktrace.engine import report, text_of
from ticktrace.runtime.figures import in_words
from ticktrace.runtime.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.runtime.limits import Crossing

__all__ = ["Action", "ActionRecord", "Actions"]

_log = logging.getLogger("ticktrace")

_MOST_RECORDS: Final = 1_000
_LONGEST_NOTE: Final = 500
_UNDECLARED_SECONDS: Final = 0.02  # a wait of this length is more than a busy machine's

Outcome = Literal["ran", "failed", "dry_run", "would_pause", "cooling_down", "not_needed"]


class Action(NamedTuple):
    """Something that can be done.

    Attributes:
        name: for records; its own for each.
        on: the limits it is done for.
        call: does it; text that it returns becomes the record's note.
        priority: the lowest is done first; of the same, the one that was added first.
        cool_down: seconds for which it is not done again.
        pause: for how many seconds it would stop the trading thread, as far as that is known beforehand; 0 when it
            does not, or not to speak of.
    """

    name: str
    on: tuple[str, ...]
    call: Callable[[], object]
    priority: int
    cool_down: float
    pause: Callable[[], float]


class ActionRecord(NamedTuple):
    """What became of an action.

    Attributes:
        unix: when it began, seconds since the epoch.
        action: its name.
        limit: the limit that was exceeded.
        threshold: that limit.
        value: the figure, when the limit counted as exceeded.
        crossing: which crossing of this limit it was, from 1.
        outcome: ``ran``; ``failed``, with the error in `note`; ``dry_run``; ``would_pause``: it would stop the trading
            thread, which `resources.allow_pauses` forbids; ``cooling_down``: it waits until its cool-down has passed;
            ``not_needed``: one before it was enough.
        seconds: how long it took; None where it did not run.
        expected_pause: for how many seconds it would stop the trading thread, as estimated beforehand.
        paused: the longest time for which another thread could not run meanwhile, measured; None where it did not run.
        before: the limit's figure right before it; None where it did not run, or the figure is CPU time.
        after: the same right after it.
        gained: `before` - `after`.
        note: what it said.
    """

    unix: float
    action: str
    limit: str
    threshold: float
    value: float
    crossing: int
    outcome: Outcome
    seconds: float | None = None
    expected_pause: float = 0.0
    paused: float | None = None
    before: float | None = None
    after: float | None = None
    gained: float | None = None
    note: str = ""


class Actions:
    """The actions of a process and the record of what became of them.

    Args:
        dry_run: only record what would be done.
        allow_pauses: whether what stops the trading thread may be done.
        now: reads a figure, None where that takes a while.
        scrub: takes secrets out of what actions say.
    """

    def __init__(
        self,
        *,
        dry_run: bool,
        allow_pauses: bool,
        now: Callable[[str], float | None],
        scrub: Callable[[str], str],
    ) -> None:
        self._dry_run = dry_run
        self._allow_pauses = allow_pauses
        self._now = now
        self._scrub = scrub
        self._actions: list[Action] = []
        self._records: deque[ActionRecord] = deque(maxlen=_MOST_RECORDS)
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def records(self) -> tuple[ActionRecord, ...]:
        """The last thousand, oldest first."""
        with self._lock:
            return tuple(self._records)

    def add(self, action: Action) -> None:
        """Take an action; one of the same name is replaced."""
        with self._lock:
            others = [known for known in self._actions if known.name != action.name]
            self._actions = sorted([*others, action], key=lambda known: known.priority)

    def any(self) -> bool:
        """Whether there is something that can be done."""
        return bool(self._actions)

    def start_afresh(self) -> None:
        """In a forked child: the parent's records are the parent's, and its lock may be held for ever."""
        self._lock = threading.Lock()
        self._records.clear()
        self._last = {}

    def due(self, crossing: Crossing) -> bool:
        """Whether there is something left to do about it now, or to tell: that an action waits."""
        return any(
            not self._cooling(action) or action.name not in crossing.told for action in self._left(crossing)
        )

    def run(self, crossing: Crossing) -> None:
        """Do what is left to be done about it; on a thread that may take its time."""
        relieved = False
        for action in self._left(crossing):
            if crossing.over:
                return
            if relieved:
                self._skip(action, crossing, "not_needed")
            elif self._cooling(action):
                if action.name not in crossing.told:
                    crossing.told.add(action.name)
                    self._note(action, crossing, "cooling_down")
            else:
                relieved = self._do(action, crossing)

    def _left(self, crossing: Crossing) -> list[Action]:
        return [
            action
            for action in self._actions
            if crossing.limit in action.on and action.name not in crossing.done
        ]

    def _cooling(self, action: Action) -> bool:
        last = self._last.get(action.name)
        return last is not None and time.monotonic() - last < action.cool_down

    def _skip(self, action: Action, crossing: Crossing, outcome: Outcome, pause: float = 0.0) -> None:
        crossing.done.add(action.name)
        self._note(action, crossing, outcome, pause)

    def _note(self, action: Action, crossing: Crossing, outcome: Outcome, pause: float = 0.0) -> None:
        self._write(
            ActionRecord(
                time.time(),
                action.name,
                crossing.limit,
                crossing.threshold,
                crossing.value,
                crossing.number,
                outcome,
                expected_pause=pause,
            )
        )

    def _write(self, record: ActionRecord) -> None:
        with self._lock:
            self._records.append(record)
        level = logging.WARNING if record.outcome in ("failed", "would_pause") else logging.INFO
        _log.log(level, "ticktrace: %s", _told(record))

    def _do(self, action: Action, crossing: Crossing) -> bool:
        """Do it, unless it must not be; whether the figure is within its limit now."""
        try:
            pause = action.pause()
        except Exception as error:  # noqa: BLE001  a cache of somebody else's, asked how large it is
            report("resources.pause", error)
            pause = 0.0
        if pause > 0 and not self._allow_pauses:
            self._skip(action, crossing, "would_pause", pause)
            return False
        self._last[action.name] = time.monotonic()
        if self._dry_run:
            self._skip(action, crossing, "dry_run", pause)
            return False
        crossing.done.add(action.name)
        unix, before = time.time(), self._now(crossing.limit)
        outcome: Outcome = "ran"
        began = time.perf_counter()
        with Pulse() as pulse:
            try:
                said = action.call()
                note = said if isinstance(said, str) else ""
            except Exception as error:  # noqa: BLE001  the application's, which may raise anything
                outcome, note = "failed", f"{type(error).__name__}: {text_of(error)}"
            seconds = time.perf_counter() - began
        after = self._now(crossing.limit)
        gained = None if before is None or after is None else before - after
        self._write(
            ActionRecord(
                unix,
                action.name,
                crossing.limit,
                crossing.threshold,
                crossing.value,
                crossing.number,
                outcome,
                seconds,
                pause,
                pulse.longest,
                before,
                after,
                gained,
                self._scrub(note[:_LONGEST_NOTE]),
            )
        )
        if pause == 0 and (pulse.longest or 0.0) > _UNDECLARED_SECONDS:
            _log.warning(
                "ticktrace: %s kept other threads from running for up to %.1f ms; an action that does so needs pauses=True",
                action.name,
                1e3 * (pulse.longest or 0.0),
            )
        return after is not None and after <= crossing.threshold


def _told(record: ActionRecord) -> str:
    """A record in words."""
    what = f"{record.action}, since {record.limit} is beyond {in_words(record.limit, record.threshold)}"
    expected = f"it stops the trading thread for about {1e3 * record.expected_pause:.1f} ms"
    if record.outcome == "would_pause":
        return f"not done: {what}: {expected}, and resources.allow_pauses is false"
    if record.outcome == "dry_run":
        return f"would be done: {what}" + (f"; {expected}" if record.expected_pause else "")
    if record.outcome == "cooling_down":
        return f"waits until it has cooled down: {what}"
    if record.outcome == "not_needed":
        return f"not needed any more: {what}"
    paused = "" if record.paused is None else f", others waited up to {1e3 * record.paused:.1f} ms"
    gained = "" if record.gained is None else f", gained {in_words(record.limit, record.gained)}"
    note = f": {record.note}" if record.note else ""
    return f"{record.outcome}: {what}; took {1e3 * (record.seconds or 0.0):.1f} ms{paused}{gained}{note}"
