"""Who is told, through apprise; its URLs hold secrets, which must not get into any log."""

from __future__ import annotations

import importlib.util
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any, Final

from ticktrace.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from ticktrace.notify._message import Message
    from ticktrace.settings import NotificationsSettings

__all__ = ["Channel", "check_notifications", "open_channels"]


# A logger's filters are not asked about the records of those below it.
_LOGGERS: Final = tuple(
    map(
        logging.getLogger,
        (
            "apprise",
            "requests",
            "requests_oauthlib.oauth1_session",
            "requests_oauthlib.oauth2_session",
            "urllib3",
            "urllib3.connection",
            "urllib3.connectionpool",
            "urllib3.poolmanager",
            "urllib3.response",
            "urllib3.util.retry",
        ),
    )
)


class _Here(threading.local):
    quiet: bool = False


_here = _Here()


def _speaks(_record: logging.LogRecord) -> bool:
    return not _here.quiet


class _Quiet:
    """What apprise, and the HTTP client below it, log within is dropped, on this thread: their lines hold the URL."""

    def __enter__(self) -> None:
        for logger in _LOGGERS:
            if _speaks not in logger.filters:
                logger.addFilter(_speaks)
        _here.quiet = True

    def __exit__(self, *_: object) -> None:
        _here.quiet = False


_QUIET: Final = _Quiet()


class Channel:
    """One service that takes messages.

    Args:
        service: of apprise.
        place: among the URLs of the settings, from 1.
        timeout: seconds that connecting, and waiting for an answer, may each take.

    Attributes:
        name: what may be shown of it: the kind of service and its place, ``slack-1``.
    """

    def __init__(self, service: Any, place: int, timeout: float) -> None:
        self._service = service
        service.socket_connect_timeout = timeout
        service.socket_read_timeout = timeout
        kinds = (service.secure_protocol, service.protocol)
        protocol = (kinds if service.secure else kinds[::-1])[0] or kinds[0] or kinds[1]
        first = protocol if isinstance(protocol, str) else protocol[0]
        self.name: str = f"{first}-{place}"

    def send(self, message: Message) -> bool:
        """Send a message; blocks. Whether the service has taken it.

        Raises:
            Exception: whatever apprise's part for the service raises.
        """
        with _QUIET:
            return bool(
                self._service.notify(body=message.text, title=message.title, notify_type=message.kind)
            )


def require_apprise() -> None:
    """Make sure that apprise is there.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("apprise") is None:
        raise MissingExtraError("notifications (notifications.urls)", "notify")


def check_notifications(settings: NotificationsSettings) -> list[str]:
    """What is wrong with the URLs of the settings: one line a problem, which begins with its place and shows no URL.

    Raises:
        MissingExtraError: there are some, and apprise is not installed.
    """
    return _problems(settings.urls) if settings.enabled else []


def _problems(urls: Sequence[SecretStr]) -> list[str]:
    problems = []
    for place, url in enumerate(urls):
        if _service(url) is None:
            scheme = url.get_secret_value().partition("://")[0][:20]
            problems.append(
                f"notifications.urls[{place}]: apprise can do nothing with this URL ({scheme}://***); see its documentation"
            )
    return problems


def open_channels(urls: Sequence[SecretStr], timeout: float) -> list[Channel]:
    """A channel for each URL.

    Args:
        urls: as apprise has them.
        timeout: see `Channel`.

    Raises:
        MissingExtraError: apprise is not installed.
        SettingsError: apprise does not understand one of them.
    """
    problems = _problems(urls)
    if problems:
        raise SettingsError(problems)
    return [Channel(_service(url), place, timeout) for place, url in enumerate(urls, 1)]


def _service(url: SecretStr) -> Any:
    require_apprise()
    with _QUIET, warnings.catch_warnings():
        # It loads all its parts now: under -W error one that is deprecated would end that, and no URL would be known.
        warnings.simplefilter("ignore")
        from apprise import Apprise  # noqa: PLC0415  optional, and takes 0.2 s

        try:
            return Apprise.instantiate(url.get_secret_value())
        except Exception:  # noqa: BLE001  a part of apprise for one service may raise anything; its text may hold the URL
            return None
