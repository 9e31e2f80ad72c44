"""Sends messages, one after the other, on a thread of its own; tries again where they are not taken."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from ticktrace.engine import Deadline, attempt, report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.notify._channels import Channel
    from ticktrace.notify._message import Message

__all__ = ["Sender"]

_log = logging.getLogger("ticktrace")

_LONGEST_PAUSE_SECONDS: Final = 60.0


class Sender:
    """A bounded queue and the daemon thread behind it.

    Args:
        channels: who gets each message.
        room: how many messages may wait.
        attempts: how often a message is offered to a channel that does not take it.
        pause: seconds before the second attempt; twice as long before each further one, a minute at most.
        on_sent: told the channel's name and whether it has taken a message.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        room: int = 100,
        attempts: int = 5,
        pause: float = 1.0,
        on_sent: Callable[[str, bool], None] = lambda _channel, _sent: None,
    ) -> None:
        self._channels = tuple(channels)
        self._room = room
        self._attempts = attempts
        self._pause = pause
        self._on_sent = on_sent
        self._waiting: deque[Message] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._busy = False
        self._end: Deadline | None = None
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="ticktrace-notify", daemon=True)
        self._thread.start()

    def offer(self, message: Message) -> bool:
        """Have a message sent; False where there is no room. Never blocks for long, never raises."""
        if os.getpid() != self._pid:  # the thread is the parent's
            return False
        with self._changed:
            if self._end is not None or len(self._waiting) >= self._room:
                return False
            self._waiting.append(message)
            self._changed.notify_all()
            return True

    def idle(self, seconds: float) -> bool:
        """Wait until nothing is left to be sent; False where that takes longer."""
        deadline = Deadline(seconds)
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, deadline.remaining())

    def stop(self, seconds: float) -> bool:
        """Send what waits, without pauses between attempts, and end; True when nothing was left behind within `seconds`."""
        if os.getpid() != self._pid:
            return True
        with self._changed:
            self._end = deadline = Deadline(seconds)
            self._changed.notify_all()
        self._thread.join(deadline.remaining())
        left = len(self._waiting) + self._busy
        if left:
            _log.warning("ticktrace: %d notifications were not sent: there was no time left", left)
        return not left

    def _run(self) -> None:
        # What sends the messages may be instrumented; nobody wants to see that in the bot's traces.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._end is not None)
                if not self._waiting or self._over():
                    return
                message = self._waiting.popleft()
                self._busy = True
            try:
                self._send(message)
            except Exception as error:  # noqa: BLE001  one message must not end the thread
                report("notify.send", error)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _over(self) -> bool:
        return self._end is not None and self._end.remaining() <= 0

    def _send(self, message: Message) -> None:
        left = list(self._channels)
        for number in range(self._attempts):
            if number:
                self._wait(min(self._pause * 2 ** (number - 1), _LONGEST_PAUSE_SECONDS))
            left = [channel for channel in left if not self._offer(channel, message)]
            if not left or self._over():
                break
        for channel in left:
            self._count(channel, sent=False)
            _log.warning("ticktrace: %s did not take the notification %r", channel.name, message.title)

    def _offer(self, channel: Channel, message: Message) -> bool:
        """Offer a message to a channel; what it raises may hold its URL, so only the class is said."""
        try:
            sent = channel.send(message)
        except Exception as error:  # noqa: BLE001  see above
            _log.debug("ticktrace: notification to %s: %s", channel.name, type(error).__name__)
            return False
        if sent:
            self._count(channel, sent=True)
        return sent

    def _count(self, channel: Channel, *, sent: bool) -> None:
        attempt("notify.count", lambda: self._on_sent(channel.name, sent))

    def _wait(self, seconds: float) -> None:
        """Wait before another attempt; not while shutting down, where time is short."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None, seconds)
