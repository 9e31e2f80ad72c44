"""A bounded queue between threads that can be closed: `queue.Queue` cannot, before Python 3.13."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from ticktrace.trading.bus._base import Post, QueueName

if TYPE_CHECKING:
    from ticktrace.engine import Deadline

__all__ = ["Mailbox", "Pending"]


class Pending:
    """How many posts of all mailboxes wait for room, wait in one, or are being handled.

    One number for all of them: a handler behind one may leave a post in another, so that asking them one after the other
    would find none where there always was one.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """None: at first, and in a forked child."""
        self._none = threading.Condition()
        self._count = 0

    def add(self, posts: int) -> None:
        """So many more, or fewer."""
        with self._none:
            self._count += posts
            if self._count <= 0:
                self._none.notify_all()

    def wait_until_none(self, deadline: Deadline) -> bool:
        """Wait until every post was dealt with; False when the deadline has passed before."""
        with self._none:
            return self._none.wait_for(lambda: self._count <= 0, deadline.remaining())


class Mailbox(QueueName):
    """Posts between the threads that publish and those that handle.

    Attributes:
        capacity: how many posts may wait.
    """

    def __init__(self, name: str, label: str, capacity: int, pending: Pending) -> None:
        super().__init__(name, label)
        self.capacity: int = capacity
        self._pending = pending
        self.renew()

    def renew(self) -> None:
        """Empty and open, with nobody waiting: at first, and in a forked child."""
        # Reentrant, because a signal handler may publish while its thread holds it.
        self._lock = threading.RLock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._posts: deque[Post[Mailbox]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._posts)

    @property
    def closed(self) -> bool:
        """Whether nobody is to wait any more, neither for room nor for posts."""
        return self._closed

    @property
    def full(self) -> bool:
        """Whether there is no room."""
        return len(self._posts) >= self.capacity

    def put(self, post: Post[Mailbox], deadline: Deadline | None) -> bool:
        """Leave a post; False when there was no room.

        Args:
            post: what is left.
            deadline: until when to wait for room; None for not at all.
        """
        with self._lock:
            if deadline is not None and self.full and not self._closed:
                self._pending.add(1)
                try:
                    self._room.wait_for(lambda: self._closed or not self.full, deadline.remaining())
                    return self._append(post)
                finally:
                    self._pending.add(-1)
            return self._append(post)

    def _append(self, post: Post[Mailbox]) -> bool:
        if self._closed or self.full:
            return False
        self._pending.add(1)
        self._posts.append(post)
        self._filled.notify()
        return True

    def displace(self, post: Post[Mailbox]) -> Post[Mailbox] | None:
        """Leave a post, in place of the oldest if there is no room; returns the one that is lost, if one is."""
        with self._lock:
            if self._closed:
                return post
            oldest = None
            if self.full:
                oldest = self._posts.popleft()
                self._pending.add(-1)
            self._append(post)
            return oldest

    def take(self) -> Post[Mailbox] | None:
        """The next post, waited for; None once it is closed and empty. Say `done` after it."""
        with self._lock:
            self._filled.wait_for(lambda: self._posts or self._closed)
            if not self._posts:
                return None
            post = self._posts.popleft()
            self._room.notify()
            return post

    def done(self) -> None:
        """A post that was taken has been dealt with."""
        self._pending.add(-1)

    def close(self) -> list[Post[Mailbox]]:
        """Let nobody wait any more; returns the posts that nobody will take."""
        with self._lock:
            self._closed = True
            left = list(self._posts)
            self._posts.clear()
            self._pending.add(-len(left))
            self._filled.notify_all()
            self._room.notify_all()
            return left
