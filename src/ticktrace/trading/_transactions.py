"""How the transactions of an engine of SQLAlchemy end, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ticktrace.engine import contained

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Transactions"]

_ENDING: Final = "ticktrace.ending"
_ENDS: Final = {"do_commit": "COMMIT", "do_rollback": "ROLLBACK"}


class Transactions:
    """Stands before what a dialect ends transactions with: SQLAlchemy has an event for when they are about to, none for after.

    Attributes:
        listeners: for the engine's events, by event.
    """

    def __init__(
        self, dialect: Any, took: Callable[[str, float, str | None], None], now: Callable[[], int]
    ) -> None:
        self._dialect = dialect
        self._took = took
        self._now = now
        self.listeners: dict[str, Callable[..., None]] = {"commit": self._ending, "rollback": self._ending}

    def watch(self) -> None:
        """Begin."""
        for name, operation in _ENDS.items():
            setattr(self._dialect, name, self._timed(getattr(self._dialect, name), operation))

    def leave(self) -> None:
        """Stand there no longer."""
        for name in _ENDS:
            vars(self._dialect).pop(name, None)

    @contained(None)
    def _ending(self, connection: Any) -> None:
        """Mark the connection: the pool rolls back, too, whatever it gets back, and says so by no event."""
        if not connection.invalidated:
            notes = _notes(connection)
            if notes is not None:
                notes[_ENDING] = True

    @contained(False)
    def _is_ending(self, connection: Any) -> bool:
        """Whether it is marked, once."""
        notes = _notes(connection)
        return notes is not None and notes.pop(_ENDING, False)

    def _timed(self, end: Callable[[Any], None], operation: str) -> Callable[[Any], None]:
        def timed(connection: Any) -> None:
            if not self._is_ending(connection):
                end(connection)
                return
            started = self._now()
            failed: str | None = None
            try:
                end(connection)
            except Exception as error:
                failed = type(error).__qualname__
                raise
            finally:
                self._took(operation, (self._now() - started) * 1e-9, failed)

        return timed


def _notes(connection: Any) -> dict[str, Any] | None:
    """What SQLAlchemy keeps with a connection for its users.

    The very first one, by which the dialect is initialised, has nothing of the kind; a driver's own may call something else so.
    """
    try:
        notes = connection.info
    except (AttributeError, NotImplementedError):
        return None
    return notes if isinstance(notes, dict) else None
