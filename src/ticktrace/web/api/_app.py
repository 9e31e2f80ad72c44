"""The API as one route of an application: its own OpenAPI, its own error handling, its own doors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute, Match, NoMatchFound

from ticktrace.engine import report, warn_once
from ticktrace.exporters import bearer_check
from ticktrace.web._attributes import route_path
from ticktrace.web._routes import has_route_below
from ticktrace.web.api._guard import Guard
from ticktrace.web.api._keys import Caller, Keys
from ticktrace.web.api._router import build_router

if TYPE_CHECKING:
    from starlette.datastructures import URLPath
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from ticktrace.web.api._handle import ApiHandle

__all__ = ["API_VERSION", "ApiRoute"]

API_VERSION: Final = "1.0.0"
"""Of the paths and answers: the first number changes with what would break a client."""


_PARAMETERS: Final = frozenset({"last_n", "minutes", "name", "page", "per_page", "window"})
_MOST_PROBLEMS: Final = 10


class _Api(FastAPI):
    ticktrace_own: ClassVar[bool] = True
    """Tells `instrument_every_fastapi` that this is not one of the bot's applications."""


class ApiRoute(BaseRoute):
    """Everything at and below one path. Where the application has routes of its own there, it leaves them the path.

    Args:
        telemetry: what is asked.
        path: where, such as ``/api/metrics``.
        below_only: whether the path itself is the metrics page's.

    Attributes:
        path: as given.
        api: the application behind the guard.

    Raises:
        SettingsError: the file of keys is not there, or something in it is wrong.
    """

    def __init__(self, telemetry: ApiHandle, path: str, *, below_only: bool = False) -> None:
        self.path: str = path
        self._below_only = below_only
        settings = telemetry.settings
        self.api: FastAPI = _Api(
            title="ticktrace metrics API",
            version=API_VERSION,
            description="What a trading bot has recorded, and how it is.",
            openapi_url=f"{path}/openapi.json",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,  # a redirect would go to whatever the Host header says
        )
        self.api.include_router(build_router(telemetry, path))
        self.api.add_exception_handler(RequestValidationError, _wrong_parameter)  # type: ignore[arg-type]
        check = bearer_check(settings.prometheus.token)
        scraper = Caller("scraper", "read")
        self._guard = Guard(
            self.api,
            path,
            settings.api,
            Keys(settings.api),
            lambda header: scraper if check is not None and check(header) else None,
        )

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for the API."""
        if scope["type"] not in {"http", "websocket"}:
            return Match.NONE, {}
        path = route_path(scope)
        if (path != self.path or self._below_only) and not path.startswith(f"{self.path}/"):
            return Match.NONE, {}
        return (Match.NONE if self._is_taken(scope) else Match.FULL), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """No route of the API is known by name from outside."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._guard(scope, receive, send)

    def _is_taken(self, scope: Scope) -> bool:
        try:
            taken = has_route_below(scope["app"].routes, self.path, self)
        except Exception as error:  # noqa: BLE001  routes may be of any class
            report("web.api", error)
            return False
        if taken:
            warn_once(
                f"web.api {self.path}",
                "ticktrace: the application has routes of its own at %s; the metrics API is not served. Give"
                " instrument_fastapi() another api_path, or None.",
                self.path,
            )
        return taken


async def _wrong_parameter(_request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong, without what was sent, which may be a secret at the wrong place."""
    problems = [f"{_place(one['loc'])}: {one['msg']}" for one in error.errors()[:_MOST_PROBLEMS]]
    return JSONResponse({"detail": "; ".join(problems)}, 422)


def _place(location: tuple[Any, ...]) -> str:
    name = location[1] if len(location) > 1 else ""
    return str(name) if name in _PARAMETERS else "a parameter"
