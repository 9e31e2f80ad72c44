"""The paths of the API, their parameters and the types of their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from fastapi import APIRouter, HTTPException, Path, Query, Request, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from ticktrace.scrubbing import scrubber_of
from ticktrace.web._metrics_route import render
from ticktrace.web.api._guard import CALLER
from ticktrace.web.api._metrics import Metrics
from ticktrace.web.api._models import (
    Cleared,
    DiagnosticsSummary,
    Health,
    InstrumentPage,
    Live,
    Metric,
    Objectives,
    Performance,
    Problem,
    Ready,
    Resources,
    Summary,
    System,
)
from ticktrace.web.api._overview import Overview
from ticktrace.web.api._wellness import Wellness

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.web.api._handle import ApiHandle

__all__ = ["build_router"]

T = TypeVar("T")

_MONTH_SECONDS: Final = 2_678_400.0
_DAY_MINUTES: Final = 1_440.0
_AT_ONCE: Final = 2
_MOST_WAITING: Final = 32

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("ticktrace.web.api")

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No key, or one that is not valid"},
    403: {
        "model": Problem,
        "description": "The key's role does not allow it, or there is no key and this is not the host",
    },
    413: {"model": Problem, "description": "A body that is too long"},
    414: {"model": Problem, "description": "A path or query that is too long"},
    422: {"model": Problem, "description": "A wrong parameter"},
    429: {"model": Problem, "description": "Too many requests"},
    503: {"model": Problem, "description": "Too busy"},
}


class _PageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    page: int = Field(1, ge=1, le=10_000, description="From 1.")
    per_page: int = Field(50, ge=1, le=200)


class _MetricQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    last_n: int = Field(
        100, ge=1, le=1_000, description="Only the newest so many values, and so many points at most."
    )
    window: float | None = Field(
        None,
        gt=0,
        le=_MONTH_SECONDS,
        allow_inf_nan=False,
        description="Only what was recorded within so many seconds.",
    )


class _SystemQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    minutes: float = Field(5.0, gt=0, le=_DAY_MINUTES, allow_inf_nan=False, description="The last so many.")


class _Answer(Protocol):
    """Makes a response of an answer, less any secret."""

    def __call__(self, model: BaseModel, status: int = 200) -> Response: ...


async def _beside(work: Callable[[], T]) -> T:
    """Do what blocks on a thread, few of them at once: who asks must not take the bot's time."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    if limiter.statistics().tasks_waiting >= _MOST_WAITING:
        raise HTTPException(503, "too many questions at once", {"retry-after": "1"})
    return await anyio.to_thread.run_sync(work, limiter=limiter)


def build_router(telemetry: ApiHandle, prefix: str) -> APIRouter:
    """The routes of the API. They let everybody in: a guard has to stand before them.

    Args:
        telemetry: what is asked.
        prefix: the path that all of them begin with.
    """
    scrub = scrubber_of(telemetry.settings)
    router = APIRouter(
        responses=_PROBLEMS,
        dependencies=[
            Security(HTTPBearer(scheme_name="bearer", auto_error=False)),
            Security(APIKeyHeader(name="X-API-Key", scheme_name="api_key", auto_error=False)),
        ],
    )

    def answer(model: BaseModel, status: int = 200) -> Response:
        return JSONResponse(scrub.mapping(model.model_dump(mode="json")), status)

    _add_overview(router, prefix, telemetry, answer)
    _add_instruments(router, prefix, telemetry, answer)
    _add_probes(router, prefix, Wellness(telemetry), answer)
    _add_wellness(router, prefix, Wellness(telemetry), answer)
    return router


def _add_overview(router: APIRouter, prefix: str, telemetry: ApiHandle, answer: _Answer) -> None:
    overview = Overview(telemetry)

    @router.get(
        prefix,
        summary="All metrics in a Prometheus format",
        response_class=Response,
        responses={
            200: {
                "description": "The text format, or OpenMetrics for who asks for it",
                "content": {
                    kind: {"schema": {"type": "string"}}
                    for kind in ("text/plain", "application/openmetrics-text")
                },
            },
            404: {"model": Problem, "description": "No Prometheus exporter is configured"},
        },
    )
    async def exposition(request: Request) -> Response:
        page = await render(telemetry, request.headers.get("accept"))
        if page is None:
            raise HTTPException(404, "no prometheus exporter is configured")
        return Response(page.body, headers={"content-type": page.content_type})

    @router.get(f"{prefix}/summary", response_model=Summary, summary="Engine, trading and scanner")
    async def summary() -> Response:
        return answer(await _beside(overview.summary))

    @router.get(
        f"{prefix}/performance", response_model=Performance, summary="The process now, and how trading goes"
    )
    async def performance() -> Response:
        return answer(await _beside(overview.performance))

    @router.get(f"{prefix}/system", response_model=System, summary="What the process took lately")
    async def system(query: Annotated[_SystemQuery, Query()]) -> Response:
        return answer(await _beside(lambda: overview.system(query.minutes)))


def _add_instruments(router: APIRouter, prefix: str, telemetry: ApiHandle, answer: _Answer) -> None:
    metrics = Metrics(telemetry)

    @router.get(
        f"{prefix}/all", response_model=InstrumentPage, summary="All instruments that have recorded anything"
    )
    async def every(query: Annotated[_PageQuery, Query()]) -> Response:
        return answer(await _beside(lambda: metrics.page(query.page, query.per_page)))

    @router.get(
        f"{prefix}/metric/{{name:path}}",
        response_model=Metric,
        summary="One instrument: its last values and what they were like",
        responses={404: {"model": Problem, "description": "No such instrument"}},
    )
    async def metric(
        name: Annotated[str, Path(min_length=1, max_length=255, description="Any of its names.")],
        query: Annotated[_MetricQuery, Query()],
    ) -> Response:
        found = await _beside(lambda: metrics.one(name, last_n=query.last_n, window=query.window))
        if found is None:
            hint = await _beside(lambda: metrics.hint(name))
            raise HTTPException(404, f"no instrument and no measured code is called so{hint}")
        return answer(found)

    @router.post(
        f"{prefix}/clear",
        response_model=Cleared,
        summary="Forget the values that statistics are made of; what is exported does not change",
    )
    async def clear() -> Response:
        def forget() -> Cleared:
            number = len(telemetry.statistics.instruments())
            telemetry.statistics.clear()
            return Cleared(instruments=number)

        return answer(await _beside(forget))


def _add_probes(router: APIRouter, prefix: str, wellness: Wellness, answer: _Answer) -> None:
    @router.get(
        f"{prefix}/health",
        response_model=Health,
        summary="Whether the bot is well",
        responses={503: {"model": Health | Problem, "description": "Critical"}},
    )
    async def health() -> Response:
        found = await _beside(wellness.health)
        return answer(found, 503 if found.status == "critical" else 200)

    @router.get(f"{prefix}/live", response_model=Live, summary="That the event loop turns")
    async def live() -> Response:
        return answer(Live())

    @router.get(
        f"{prefix}/ready",
        response_model=Ready,
        summary="Whether the bot can do its work",
        responses={503: {"model": Ready | Problem, "description": "It cannot"}},
    )
    async def ready(request: Request) -> Response:
        found = await _beside(wellness.ready)
        if request.scope.get(CALLER) is None:  # anybody: that it is so, not why
            found = Ready(ready=found.ready, reasons=[])
        return answer(found, 200 if found.ready else 503)


def _add_wellness(router: APIRouter, prefix: str, wellness: Wellness, answer: _Answer) -> None:
    @router.get(f"{prefix}/slo", response_model=Objectives, summary="How each objective stands")
    async def slo() -> Response:
        return answer(await _beside(wellness.objectives))

    @router.get(
        f"{prefix}/resources",
        response_model=Resources,
        summary="Limits, trends, and what was done about them",
    )
    async def resources() -> Response:
        return answer(await _beside(wellness.resources))

    @router.get(
        f"{prefix}/diagnostics/summary",
        response_model=DiagnosticsSummary,
        summary="Decisions and their reasons",
    )
    async def diagnostics() -> Response:
        return answer(await _beside(wellness.diagnostics))
