"""Which route template a request will reach, found before it is handled so that samplers see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Match

try:
    from fastapi.routing import iter_route_contexts
except ImportError:  # FastAPI before 0.137.2 keeps included routes flat
    iter_route_contexts = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import Scope

__all__ = ["METRICS_ROUTE", "has_route", "has_route_below", "route_template"]


METRICS_ROUTE = "ticktrace_metrics"
"""The name of our own metrics page."""


def _flat(routes: Sequence[Any]) -> Iterable[Any]:
    return routes if iter_route_contexts is None else iter_route_contexts(routes)


def route_template(scope: Scope) -> str | None:
    """The template, mounts included, that the application's router will choose for this request.

    A path below a mount that no route of the mounted application matches yields the mount's own template
    (``/static/{path}``), as FastAPI itself names it. Returns None when nothing matches.
    """
    # Matching may leave marks in the scope (FastAPI's included routers do): work on a copy.
    return _find(scope["app"].routes, {**scope, "fastapi": {}}, "")


def has_route(routes: Sequence[Any], path: str) -> bool:
    """Whether a route with exactly this template exists."""
    return any(getattr(route, "path", None) == path for route in _flat(routes))


def has_route_below(routes: Sequence[Any], path: str, besides: object) -> bool:
    """Whether a route of the application's, other than `besides`, has exactly this template, or one below it."""
    for route in _flat([route for route in routes if route is not besides]):
        template = getattr(route, "path", None)
        if getattr(route, "name", None) == METRICS_ROUTE:
            continue
        if isinstance(template, str) and (template == path or template.startswith(f"{path}/")):
            return True
    return False


def _find(routes: Sequence[Any], scope: Scope, prefix: str) -> str | None:
    partial: str | None = None
    for route in _flat(routes):
        match, child_scope = route.matches(scope)
        if match == Match.NONE:
            continue
        path = prefix + (getattr(route, "path", None) or "")  # a Host route has no path of its own
        nested = getattr(route, "routes", None)
        if nested is not None:  # a Mount or a Host; what it leads to may have no routes (StaticFiles)
            return _find(nested, {**scope, **child_scope}, path) or f"{path}/{{path}}"
        if match == Match.FULL:
            return path
        if partial is None:  # the path exists, the method does not: 405
            partial = path
    return partial
