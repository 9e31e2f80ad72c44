"""The smallest liveness probe: the process runs and its event loop turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["health_route"]


async def _alive(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


def health_route(path: str) -> Route:
    """A route that answers 200 for as long as the event loop answers at all."""
    return Route(path, _alive, methods=["GET"], name="ticktrace_health", include_in_schema=False)
