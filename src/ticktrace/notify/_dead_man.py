"""The dead-man's switch: a URL that is asked as long as the bot is alive, so that its silence is noticed elsewhere."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from ticktrace._version import __version__
from ticktrace.engine import attempt, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

__all__ = ["DeadMan"]

_log = logging.getLogger("ticktrace")

_MOST_BYTES: Final = 1_024  # of an answer


class DeadMan:
    """Asks a URL every so often, on a daemon thread of its own, while the bot is alive.

    Args:
        url: a secret.
        interval: seconds between two times.
        timeout: seconds that one may take.
        alive: whether the bot is; asked before each time.
        on_asked: told whether the URL has answered.
    """

    def __init__(
        self,
        url: SecretStr,
        *,
        interval: float,
        timeout: float,
        alive: Callable[[], bool],
        on_asked: Callable[[bool], None] = lambda _answered: None,
    ) -> None:
        self._url = url
        self._interval = interval
        self._timeout = timeout
        self._alive = alive
        self._on_asked = on_asked
        self._failing = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticktrace-dead-man", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 0.0) -> bool:
        """Ask no more; True when the thread has ended within `seconds`."""
        self._ended.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # as the sender of messages
        while True:
            try:
                if self._alive():
                    self._ask()
            except Exception as error:  # noqa: BLE001  it has to go on
                report("notify.dead_man", error)
            if self._ended.wait(self._interval):
                return

    def _ask(self) -> None:
        import urllib.request  # noqa: PLC0415  7 ms of every start, for those who have no such switch, too

        answered = False
        request = urllib.request.Request(  # noqa: S310  the settings allow http and https only
            self._url.get_secret_value(), headers={"User-Agent": f"ticktrace/{__version__}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310  see above
                answer.read(_MOST_BYTES)
            answered = True
        except Exception as error:  # noqa: BLE001  whatever it is, its text may hold the URL
            if not self._failing:
                _log.warning(
                    "ticktrace: the dead-man's switch (notifications.dead_man.url) does not answer: %s",
                    type(error).__name__,
                )
        self._failing = not answered
        attempt("notify.dead_man.count", lambda: self._on_asked(answered))
