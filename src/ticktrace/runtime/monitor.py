"""The resource monitor: observes the process, keeps some history, says how it is, and does something about it if it may."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ticktrace.engine import attempt, report
from ticktrace.engine.attendant import Attendant
from ticktrace.errors import SettingsError
from ticktrace.runtime import relief
from ticktrace.runtime.actions import Action, Actions
from ticktrace.runtime.caches import cache_of
from ticktrace.runtime.figures import Observer, in_words
from ticktrace.runtime.health import judge
from ticktrace.runtime.limits import LIMITS, Watch, limits_of
from ticktrace.runtime.snapshot import listing_pauses
from ticktrace.runtime.summary import Summary, column, summarise
from ticktrace.runtime.trend import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

    from ticktrace.runtime.actions import ActionRecord
    from ticktrace.runtime.caches import Cache, Clearing, LruCache
    from ticktrace.runtime.figures import Figures
    from ticktrace.runtime.health import Health
    from ticktrace.runtime.limits import Crossing
    from ticktrace.runtime.snapshot import MemorySnapshots
    from ticktrace.runtime.trend import Trend
    from ticktrace.settings import ResourcesSettings

__all__ = ["ResourceMonitor"]

_log = logging.getLogger("ticktrace")

_ENDING_SECONDS: Final = 1.0
_SILENT_INTERVALS: Final = 3
_SILENT_SECONDS: Final = 5.0
_TREND_MINUTES: Final = 30.0
_DECLARED_SECONDS: Final = 0.001


class ResourceMonitor:
    """Observes the process on one daemon thread, from `start` to `stop`.

    In a forked child it begins anew by itself: the history is the parent's.

    Args:
        settings: what, how often, and what to do.
        snapshots: takes memory snapshots for the action of that name.
        scrub: takes secrets out of what actions say.

    Attributes:
        settings: as given.
        limits: those that there are, by figure.
    """

    def __init__(
        self,
        settings: ResourcesSettings,
        snapshots: MemorySnapshots,
        *,
        scrub: Callable[[str], str] = str,
    ) -> None:
        self.settings: ResourcesSettings = settings
        self.limits: dict[str, float] = limits_of(settings.limits)
        self._snapshots = snapshots
        self._caches: dict[str, Cache] = {}
        self._second: Observer | None = None
        self._actions = Actions(
            dry_run=settings.dry_run,
            allow_pauses=settings.allow_pauses,
            now=self._read_now,
            scrub=scrub,
        )
        self._running = False
        self._begin_afresh()
        self._add_own_actions()
        _monitors.add(self)

    def _begin_afresh(self) -> None:
        self._lock = threading.Lock()
        self._history: deque[Figures] = deque(maxlen=self.settings.history)
        self._watches = [
            Watch(name, limit, self.settings.observations) for name, limit in self.limits.items()
        ]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._doer: Attendant | None = None
        self._busy: set[str] = set()
        self._started_at = time.monotonic()

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to observe; a second call does nothing."""
        with self._lock:
            if self._thread is not None:
                return
            self._running = True
            self._started_at = time.monotonic()
            self._stop = threading.Event()
            if self._doer is None and self._actions.any():
                self._doer = Attendant(
                    "actions"
                )  # now, since there may be no thread to be had when it is needed
            self._thread = threading.Thread(
                target=self._observe_always, args=(self._stop,), name="ticktrace-resources", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop observing, and begin no further action; waits a second at most, for an observation under way."""
        with self._lock:
            self._running = False
            thread, self._thread = self._thread, None
            doer, self._doer = self._doer, None
        self._stop.set()
        for watch in self._watches:
            if watch.crossing is not None:
                watch.crossing.over = True
        if doer is not None:
            doer.dismiss()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_ENDING_SECONDS)

    def start_in_child(self) -> None:
        """In a forked child, where the threads do not exist and the locks may be held for ever."""
        running = self._running
        self._begin_afresh()
        self._actions.start_afresh()
        if running:
            attempt("resources.fork", self.start)

    @property
    def running(self) -> bool:
        """Whether it observes."""
        return self._thread is not None

    # --- what it knows ------------------------------------------------------------------------------------------------

    @property
    def history(self) -> tuple[Figures, ...]:
        """The observations that are kept, the oldest first."""
        with self._lock:
            return tuple(self._history)

    def current(self) -> Figures | None:
        """The last observation; None before the first."""
        with self._lock:
            return self._history[-1] if self._history else None

    def summary(self, minutes: float = 5.0) -> Summary:
        """How each figure was over the last so many minutes: mean, least, most, latest."""
        return summarise(self._since(minutes), minutes)

    def trend(self, figure: str, minutes: float = _TREND_MINUTES) -> Trend:
        """The line through a figure's last so many minutes, and when it reaches the limit.

        Raises:
            ValueError: there is no such figure.
        """
        times, values = column(self._since(minutes), figure)
        return fit(figure, times, values, self.limits.get(figure))

    def health(self) -> Health:
        """Whether the process is well: by its limits, by where their figures are going, and by whether it is observed."""
        current = self.current()
        exceeded = [watch.limit for watch in self._watches if watch.crossing is not None]
        silent = time.monotonic() - (self._started_at if current is None else current.at)
        longest = max(_SILENT_SECONDS, _SILENT_INTERVALS * self.settings.interval)
        since = self._since(_TREND_MINUTES)
        return judge(
            current,
            self.limits,
            exceeded,
            [fit(name, *column(since, name), limit) for name, limit in self.limits.items()],
            warn_at=self.settings.warn_at,
            warn_before=self.settings.warn_before,
            silent_seconds=silent if self.running and silent > longest else None,
        )

    @property
    def records(self) -> tuple[ActionRecord, ...]:
        """What became of actions: the last thousand, oldest first."""
        return self._actions.records

    def _since(self, minutes: float) -> list[Figures]:
        begins = time.monotonic() - 60.0 * minutes
        return [figures for figures in self.history if figures.at >= begins]

    # --- what it does -------------------------------------------------------------------------------------------------

    def add_cache(
        self, name: str, cache: MutableMapping[Any, Any] | LruCache | Clearing, *, pauses: bool = False
    ) -> None:
        """Register a cache that the action ``clear_caches`` may clear.

        Args:
            name: for records; a cache of the same name is replaced.
            cache: a mapping, which is emptied some entries at a time; a function with `functools.lru_cache`; or a
                function without arguments that clears it and may return how many entries went.
            pauses: whether that function stops the trading thread.

        Raises:
            SettingsError: it is none of these.
        """
        with self._lock:
            self._caches = {**self._caches, name: cache_of(name, cache, pauses=pauses)}

    def add_action(
        self,
        name: str,
        call: Callable[[], object],
        *,
        on: Iterable[str],
        priority: int = 50,
        cool_down: float = 300.0,
        pauses: bool = False,
    ) -> None:
        """Have something done when a limit is exceeded, on a thread of its own for all actions.

        Args:
            name: for records; an action of the same name is replaced.
            call: does it. Text that it returns is recorded.
            on: the limits that it is done for.
            priority: the lowest is done first; ticktrace's own have 50 if the settings do not say otherwise.
            cool_down: seconds for which it is not done again.
            pauses: whether it stops the trading thread, by holding the GIL or a lock for long: then it is done only if
                `resources.allow_pauses` is true.

        Raises:
            SettingsError: a limit that there is not.
        """
        names = tuple(on)
        problems = [
            f"the action {name}: {limit} has no limit; those with one: {', '.join(self.limits) or 'none'}"
            for limit in names
            if limit not in self.limits
        ]
        if not names:
            problems = [f"the action {name} is for no limit; known: {', '.join(LIMITS)}"]
        if problems:
            raise SettingsError(problems)
        pause = _DECLARED_SECONDS if pauses else 0.0
        self._actions.add(Action(name, names, call, priority, cool_down, lambda: pause))

    def _add_own_actions(self) -> None:
        settings = self.settings
        own: dict[str, tuple[Callable[[], object], Callable[[], float]]] = {
            "memory_snapshot": (self._snapshot, listing_pauses),
            "clear_caches": (self._clear_caches, lambda: 0.0),
            "collect_garbage": (relief.collect_garbage, relief.collecting_pauses),
            "prune_logs": (partial(relief.prune_logs, settings.prune), lambda: 0.0),
            "rotate_logs": (relief.rotate_logs, relief.rotating_pauses),
        }
        for name, (call, pause) in own.items():
            wanted = getattr(settings.actions, name)
            if wanted.on:
                self._actions.add(Action(name, wanted.on, call, wanted.priority, wanted.cool_down, pause))

    def _read_now(self, figure: str) -> float | None:
        """A figure, for actions; they ask an observer of their own, since reading is for one thread at a time."""
        return None if self._second is None else self._second.now(figure)

    def _clear_caches(self) -> str:
        return relief.clear_caches(tuple(self._caches.values()), allow_pauses=self.settings.allow_pauses)

    def _snapshot(self) -> str:
        taken = self._snapshots.take("limit")
        if taken.error is not None:
            raise OSError(taken.error)
        return str(taken.path)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _observe_always(self, stop: threading.Event) -> None:
        observer = Observer(self.settings.disk)
        self._second = Observer(self.settings.disk)
        due = time.monotonic()
        while not stop.is_set():
            try:
                self._observe(observer.read())
            except Exception as error:  # noqa: BLE001  the barrier: observing goes on
                report("resources", error)
            # No observation is made up for: a machine that slept would observe the same many times.
            due = max(due + self.settings.interval, time.monotonic())
            stop.wait(due - time.monotonic())

    def _observe(self, figures: Figures) -> None:
        with self._lock:
            self._history.append(figures)
            if len(self._history) == 1 < self.settings.history:
                return  # the application may be about to register its actions, which have an order
        for watch in self._watches:
            value = getattr(figures, watch.limit)
            lasting = watch.crossing
            change = watch.see(value)
            crossing = watch.crossing
            if change == "crossed":
                _log.warning(
                    "ticktrace: %s is %s, beyond its limit of %s",
                    watch.limit,
                    in_words(watch.limit, value),
                    in_words(watch.limit, watch.threshold),
                )
            elif change == "back" and lasting is not None:
                _log.info("ticktrace: %s is %s again", watch.limit, in_words(watch.limit, value))
            if crossing is not None and watch.limit not in self._busy and self._actions.due(crossing):
                self._do(crossing)

    def _do(self, crossing: Crossing) -> None:
        """Have the actions done, on another thread: one that hangs must not end observing."""
        with self._lock:
            if not self._running:
                return
            if self._doer is None:
                self._doer = Attendant("actions")
            doer = self._doer
        busy = self._busy
        busy.add(crossing.limit)

        def work() -> bool:
            try:
                self._actions.run(crossing)
            finally:
                busy.discard(crossing.limit)
            return True

        doer.insist(work)


_monitors: weakref.WeakSet[ResourceMonitor] = weakref.WeakSet()


def _start_in_child() -> None:
    for monitor in list(_monitors):
        monitor.start_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_in_child)
