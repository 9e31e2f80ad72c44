"""A lock that another thread held at the fork stays locked in the child for ever: give the child new ones."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

__all__ = ["Locked", "renew_lock_after_fork"]


class Locked(Protocol):
    """An object with a lock."""

    _lock: threading.Lock


_locked: weakref.WeakSet[Locked] = weakref.WeakSet()
_registered = False


def renew_lock_after_fork(owner: Locked) -> None:
    """Give `owner` a new lock in every forked child, for as long as it lives."""
    global _registered  # noqa: PLW0603 - fork handlers cannot be taken back, so there is one for all
    _locked.add(owner)
    if not _registered:
        _registered = True
        os.register_at_fork(after_in_child=_renew)


def _renew() -> None:
    for owner in _locked:
        owner._lock = threading.Lock()  # noqa: SLF001 - the Locked protocol
