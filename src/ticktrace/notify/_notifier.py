"""From what is wrong just now to who has to be told: once when it begins, once when it is over."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ticktrace.engine import contained, report
from ticktrace.notify._message import Alert, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ticktrace.notify._message import Kind
    from ticktrace.settings import NotificationsSettings

__all__ = ["Notifier"]

_MOST_ALERTS: Final = 1_000  # of the application's own
_MINUTE: Final = 60.0


@dataclass(slots=True)
class _Told:
    alert: Alert
    at: float


class Notifier:
    """Tells of each trouble once, and once when it is over; reached as `Telemetry.notifications`. Thread-safe.

    A trouble that comes back soon (``notifications.quiet``), one too many in a minute, or one that finds the queue full is
    told later, if it is still there then. That a trouble is over is told whenever it was told that it was there. So
    nothing is told twice, and nothing lasting is left out.

    Args:
        settings: of what, and how often.
        service: the bot's name, which messages begin with.
        now: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        settings: NotificationsSettings,
        service: str = "",
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._service = service
        self._now = now
        self._offer: Callable[[Message], bool] | None = None
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may raise an alarm
        self._told: dict[str, _Told] = {}
        self._last: dict[str, float] = {}
        self._recent: deque[float] = deque()
        self._own: dict[str, Alert] = {}
        self.held: int = 0
        """How many times a trouble was held back, to be told later."""

    def attach(self, offer: Callable[[Message], bool] | None) -> None:
        """Send through this from now on, None for nowhere; also in a forked child, where nobody was told anything."""
        self._begin_afresh()
        self._offer = offer

    @property
    def enabled(self) -> bool:
        """Whether anybody is told anything."""
        return self._offer is not None

    @property
    def open(self) -> tuple[Alert, ...]:
        """What was told and is not over."""
        return tuple(told.alert for told in list(self._told.values()))

    @contained(None)
    def alarm(
        self, condition: str, title: str, text: str = "", *, key: str = "", critical: bool = False
    ) -> None:
        """Something is wrong, until `over` is called with the same condition and key. Told within ``slo.interval``.

        Args:
            condition: one of ``notifications.on``, else nobody is told; a word of one's own, too.
            title: in a few words.
            text: more of it.
            key: what it is about, where there may be several at a time.
            critical: whether it is urgent.
        """
        alert = Alert(
            f"{condition}/{key}", condition, title, text or title, "critical" if critical else "warning"
        )
        with self._lock:
            if alert.key in self._own or len(self._own) < _MOST_ALERTS:
                self._own[alert.key] = alert

    @contained(None)
    def over(self, condition: str, *, key: str = "") -> None:
        """What `alarm` was called for is over."""
        with self._lock:
            self._own.pop(f"{condition}/{key}", None)

    def update(self, alerts: Iterable[Alert]) -> None:
        """All that is wrong now, but for what `alarm` was called for; what was and is no more is over. Never raises."""
        try:
            with self._lock:
                self._update({alert.key: alert for alert in (*alerts, *self._own.values())})
        except Exception as error:  # noqa: BLE001  the barrier
            report("notify.update", error)

    def _update(self, alerts: dict[str, Alert]) -> None:
        if self._offer is None:
            return
        now = self._now()
        for key, told in list(self._told.items()):
            if key not in alerts and self._offer(self._recovery(told, now)):
                del self._told[key]
        for key, alert in alerts.items():
            if key in self._told or alert.condition not in self._settings.on:
                continue
            if self._may_tell(key, now) and self._offer(self._message(alert)):
                self._told[key] = _Told(alert, now)
                self._last[key] = now
                self._recent.append(now)
            else:
                self.held += 1
        for key, at in list(self._last.items()):
            if key not in self._told and now - at >= self._settings.quiet:
                del self._last[key]

    def _may_tell(self, key: str, now: float) -> bool:
        last = self._last.get(key)
        if last is not None and now - last < self._settings.quiet:
            return False
        while self._recent and now - self._recent[0] >= _MINUTE:
            self._recent.popleft()
        return len(self._recent) < self._settings.per_minute

    def _message(self, alert: Alert) -> Message:
        kind: Kind = "failure" if alert.severity == "critical" else "warning"
        return Message(self._titled(alert.title), alert.text, kind)

    def _recovery(self, told: _Told, now: float) -> Message:
        lasted = now - told.at
        text = f"It lasted {lasted:.0f} s. It was: {told.alert.text}"
        return Message(self._titled(f"Over: {told.alert.title}"), text, "success")

    def _titled(self, title: str) -> str:
        return f"[{self._service}] {title}" if self._service else title
