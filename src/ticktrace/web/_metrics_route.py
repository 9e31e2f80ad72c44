"""The metrics page of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ticktrace.engine.barrier import report
from ticktrace.web._routes import METRICS_ROUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from ticktrace.web._protocol import Rendered, TelemetryHandle

__all__ = ["metrics_route", "render"]

# One scrape at a time and beside the shared pool: neither may hold up the application's own blocking endpoints.
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("ticktrace.web.scrapes")


def _scrapes() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(1)
        _limiter.set(limiter)
        return limiter


class _Renders(Protocol):
    def exposition(self, accept: str | None = None, /) -> Rendered | None: ...


async def render(telemetry: _Renders, accept: str | None) -> Rendered | None:
    """The metrics page, rendered beside the event loop, one at a time."""
    return await anyio.to_thread.run_sync(telemetry.exposition, accept, limiter=_scrapes())


def metrics_route(
    telemetry: TelemetryHandle, path: str, allows: Callable[[str], bool] | None = None
) -> Route:
    """A route that answers a scrape, in the format that the ``Accept`` header asks for.

    It answers 404 while no Prometheus exporter is configured, and 503 when rendering fails, so that the scraper's
    ``up`` tells.

    Args:
        telemetry: whose metrics.
        path: where.
        allows: tells from the ``Authorization`` header whether somebody may scrape; without it everybody may.
    """

    async def metrics(request: Request) -> Response:
        if allows is not None and not allows(request.headers.get("authorization", "")):
            asked = {"www-authenticate": 'Bearer realm="ticktrace"'}
            return PlainTextResponse("a token is needed\n", 401, asked)
        try:
            page = await render(telemetry, request.headers.get("accept"))
        except Exception as error:  # noqa: BLE001  reported here and to the scraper, not to the error handler
            report("web.metrics", error)
            return PlainTextResponse("ticktrace could not render the metrics; see the log\n", 503)
        if page is None:
            return PlainTextResponse("no prometheus exporter is configured\n", 404)
        return Response(page.body, headers={"content-type": page.content_type})

    return Route(path, metrics, methods=["GET"], name=METRICS_ROUTE, include_in_schema=False)
