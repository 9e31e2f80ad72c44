"""Which callback has blocked the event loop, and for how long: a thread that looks at the loop from outside.

Nothing is patched, and an idle loop is left alone. The thread looks, some twenty times a second, whether the loop is in
a callback; only if it is, a callback of ours is put at the end of the loop's queue, and when that runs, the block is
over. What blocks for longer than two looks is seen on any loop; of shorter ones, some.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from time import perf_counter_ns, sleep
from typing import TYPE_CHECKING, Final

from ticktrace.engine import Cause, Interruption, report
from ticktrace.runtime._frames import Callback, callback_of
from ticktrace.runtime._warnings import Warner

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from ticktrace.engine import Interruptions

__all__ = ["BlockWatch"]

_MOST_NAMES: Final = 100  # functions in one block, when many short callbacks make it


class _Probe:
    """A callback that waits in the loop's queue.

    Attributes:
        began: when it was put there, ns.
        ended: when it ran, ns; 0 before.
        thread: the loop's.
        seen: what the loop was seen in most often meanwhile.
    """

    __slots__ = ("_names", "_seen", "_watch", "began", "ended", "seen", "thread")

    def __init__(self, watch: BlockWatch, thread: int, seen: Callback) -> None:
        self._watch = watch
        self._names: Counter[str] = Counter()
        self._seen: Counter[Callback] = Counter()
        self.thread: int = thread
        self.ended: int = 0
        self.seen: Callback = seen
        self.look(seen)
        self.began: int = perf_counter_ns()

    def look(self, seen: Callback) -> None:
        """The loop was seen in that."""
        names, all_seen = self._names, self._seen
        if len(all_seen) >= _MOST_NAMES and seen not in all_seen:
            return
        names[seen.name] += 1
        all_seen[seen] += 1
        most = self.seen
        if (names[seen.name], all_seen[seen]) >= (names[most.name], all_seen[most]):
            self.seen = seen

    def until(self, now: int) -> Interruption:
        """The block as it was then."""
        return Interruption(Cause.LOOP, self.began, now, self.seen.name, self.seen.at, self.thread)

    def run(self) -> None:
        """On the loop's thread: it goes on."""
        self.ended = perf_counter_ns()
        self._watch.passed(self)


class BlockWatch:
    """Watches one loop until it is closed or `end` is called.

    Args:
        loop: whichever.
        slow: seconds between two looks, and the shortest block that counts.
        interruptions: is told of the blocks.

    Attributes:
        thread: that runs the loop; 0 until that is known.
        depth: how many frames the loop itself needs there.
    """

    def __init__(self, loop: AbstractEventLoop, slow: float, interruptions: Interruptions) -> None:
        self._loop = loop
        self._slow = slow
        self._slow_ns = round(slow * 1e9)
        self._interruptions = interruptions
        self._probe: _Probe | None = None
        self._over = False
        self._warner = Warner(_described)
        self.thread: int = 0
        self.depth: int = 0
        _all.add(self)
        interruptions.unfinished = (*interruptions.unfinished, self.unfinished)
        threading.Thread(target=self._watch, name="ticktrace-loop", daemon=True).start()

    def runs_on(self, thread: int) -> None:
        """The loop is run by this thread."""
        self.thread = thread
        if not self._interruptions.home:
            self._interruptions.home = thread

    def end(self) -> None:
        """Stop; from any thread, and does not wait."""
        self._over = True
        self._interruptions.unfinished = tuple(
            one for one in self._interruptions.unfinished if one != self.unfinished
        )
        self._warner.close()

    def unfinished(self, now: int) -> Interruption | None:
        """The block that goes on, up to `now` (monotonic clock, ns)."""
        probe = self._probe
        if probe is None or probe.ended or now - probe.began < self._slow_ns:
            return None
        return probe.until(now)

    def passed(self, probe: _Probe) -> None:
        """On the loop's thread: it has got to a probe."""
        if not self._over and probe.ended - probe.began >= self._slow_ns:
            block = probe.until(probe.ended)
            self._interruptions.add(block)
            self._warner.note(block)

    def _watch(self) -> None:
        while not self._over and not self._loop.is_closed():
            sleep(self._slow)
            try:
                self._look()
            except RuntimeError:  # it was closed meanwhile
                break
            except Exception as error:  # noqa: BLE001  the barrier
                report("runtime.loop", error)
        if not self._over:
            self.end()

    def _look(self) -> None:
        probe = self._probe
        if not self.thread or not self._loop.is_running():
            self._probe = None  # between two runs nothing is blocked
            return
        seen = callback_of(self.thread, self.depth)
        if probe is not None and not probe.ended:
            if seen is not None:
                probe.look(seen)
        elif seen is not None:
            self._probe = probe = _Probe(self, self.thread, seen)
            self._loop.call_soon_threadsafe(probe.run)


def _described(block: Interruption) -> str:
    at = f" (at {block.at})" if block.at else ""
    return f"the event loop was blocked for {1e3 * block.seconds:.0f} ms or longer by {block.name}{at}"


_all: weakref.WeakSet[BlockWatch] = weakref.WeakSet()


def _end_in_child() -> None:
    """The loop is the parent's to run, and what would see a block's end does not exist here."""
    for watch in list(_all):
        watch.end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_end_in_child)
