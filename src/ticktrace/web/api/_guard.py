"""Stands before the API: who asks, how often, how much; and what every answer carries."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any, Final

from ticktrace.engine import report, warn_once
from ticktrace.web._attributes import route_path
from ticktrace.web.api._keys import Caller
from ticktrace.web.api._origin import address_of, comes_from_here, group_of, values_of
from ticktrace.web.api._rates import Rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ticktrace.settings import ApiSettings
    from ticktrace.web.api._keys import Keys

__all__ = ["CALLER", "Guard"]

CALLER: Final = "ticktrace.api.caller"
"""Under which the scope has who asks; None where anybody may ask, and is told little."""

_audit = logging.getLogger("ticktrace.audit")

_LONGEST_PATH: Final = 512
_LONGEST_QUERY: Final = 1_024
_LARGEST_BODY: Final = 1_024
_LONGEST_KEY: Final = 512
_LONGEST_SAID: Final = 100

_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_STRICT: Final = (b"strict-transport-security", b"max-age=31536000")


class _Refused(Exception):  # noqa: N818  an answer rather than an error
    def __init__(self, status: int, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = tuple(headers)


class Guard:
    """An ASGI application before another one. Nothing reaches that one, not even to be told 404, without being let in.

    Args:
        app: the API.
        prefix: its path.
        settings: who may do what.
        keys: the keys.
        scrape_token: lets in to the metrics page alone; gives who that is.
    """

    def __init__(
        self,
        app: ASGIApp,
        prefix: str,
        settings: ApiSettings,
        keys: Keys,
        scrape_token: Callable[[str], Caller | None],
    ) -> None:
        self._app = app
        self._prefix = prefix
        self._settings = settings
        self._keys = keys
        self._scrape_token = scrape_token
        self._rates = Rates(settings.requests_per_minute)
        self._failures = Rates(settings.failures_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; of the API's own faults none goes on."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        started = False
        status = 500

        async def answer(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *_secure(scope)]}
            await send(message)

        try:
            try:
                self._let_in(scope)
                await self._app(scope, receive, answer)
            except _Refused as refused:
                await _say(answer, refused.status, refused.detail, refused.headers)
            except Exception as error:  # noqa: BLE001  the bot's own error handling is for the bot's own errors
                report("web.api", error)
                if not started:
                    await _say(answer, 500, "this could not be answered; see the bot's log")
        finally:
            if scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
                self._write_down(scope, status)

    def _let_in(self, scope: Scope) -> None:
        """Find out who asks, for the scope; raises a refusal."""
        address = group_of(address_of(scope))
        caller = scope[CALLER] = self._recognise(scope, address)
        for who in (("address", address), *((("key", caller.name),) if caller is not None else ())):
            wait = self._rates.take(who)
            if wait:
                raise _too_many(wait)
        if len(scope["path"]) > _LONGEST_PATH or len(scope.get("query_string", b"")) > _LONGEST_QUERY:
            raise _Refused(414, "the path or the query is too long")
        lengths = values_of(scope, b"content-length")
        if any(not length.isdigit() or int(length[:20]) > _LARGEST_BODY for length in lengths):
            raise _Refused(413, f"a body of more than {_LARGEST_BODY} bytes is not read")
        if values_of(scope, b"transfer-encoding"):
            raise _Refused(411, "a body of unknown length is not read")
        if (
            scope["method"] not in {"GET", "HEAD", "OPTIONS"}
            and caller is not None
            and caller.role != "admin"
        ):
            raise _Refused(403, "this needs an admin key")

    def _recognise(self, scope: Scope, address: str) -> Caller | None:
        presented = _presented(scope)
        if presented:
            key = presented[0]
            caller = None
            if len(presented) == 1 and len(key) <= _LONGEST_KEY:
                caller = self._keys.find(key)
                if (
                    caller is None
                    and scope["method"] in {"GET", "HEAD"}
                    and route_path(scope) == self._prefix
                ):
                    caller = self._scrape_token("Bearer " + key.decode("latin-1"))
            if caller is not None:
                return caller
            raise self._turned_away(address, "the key is not valid")
        loopback = self._settings.loopback
        if loopback != "none" and comes_from_here(scope):
            return Caller("loopback", loopback)
        if (
            self._settings.open_probes
            and scope["method"] in {"GET", "HEAD"}
            and route_path(scope) in {f"{self._prefix}/live", f"{self._prefix}/ready"}
        ):
            return None
        if not self._keys.any:
            raise _Refused(403, "without a key (api.read_keys) this is answered on the bot's own host only")
        raise self._turned_away(address, "a key is needed: Authorization: Bearer …, or X-API-Key")

    def _turned_away(self, address: str, detail: str) -> _Refused:
        said = "ticktrace: the metrics API turned away a request from %s: %s"
        warn_once("api.turned_away", said, _plain(address) or "an unknown address", detail)
        wait = self._failures.take(address)
        if wait:
            return _too_many(wait)
        return _Refused(401, detail, [(b"www-authenticate", b'Bearer realm="ticktrace"')])

    @staticmethod
    def _write_down(scope: Scope, status: int) -> None:
        caller: Caller | None = scope.get(CALLER)
        name = "unknown" if caller is None else caller.name
        _audit.info(
            "ticktrace: %s %s by %s from %s: %d",
            _plain(scope["method"]),
            _plain(scope["path"]),
            _plain(name),
            _plain(address_of(scope)),
            status,
        )


def _presented(scope: Scope) -> list[bytes]:
    """Every key that a request has; more than one is none."""
    found = [value.strip() for value in values_of(scope, b"x-api-key")]
    for value in values_of(scope, b"authorization"):
        scheme, _, rest = value.strip().partition(b" ")
        # Another scheme is somebody else's, and does not open anything here.
        found.append(rest.strip() if scheme.lower() == b"bearer" else b"")
    return found


def _too_many(wait: float) -> _Refused:
    return _Refused(429, "too many requests", [(b"retry-after", str(math.ceil(wait)).encode())])


def _secure(scope: Scope) -> list[tuple[bytes, bytes]]:
    return [*_HEADERS, _STRICT] if scope.get("scheme") == "https" else [*_HEADERS]


def _plain(text: str) -> str:
    """In a line of a log, what a stranger has chosen must not look like another line."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST_SAID])


async def _say(
    send: Callable[[Any], Any], status: int, detail: str, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    body = json.dumps({"detail": detail}).encode()
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
