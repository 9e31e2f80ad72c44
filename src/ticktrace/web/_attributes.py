"""HTTP server attributes of a request, after OpenTelemetry's stable HTTP semantic conventions.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span. A client chooses most of these bytes,
so nothing here may fail on any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry.propagators.textmap import Getter
from opentelemetry.semconv.attributes.client_attributes import CLIENT_ADDRESS
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_REQUEST_METHOD_ORIGINAL,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.network_attributes import (
    NETWORK_PROTOCOL_NAME,
    NETWORK_PROTOCOL_VERSION,
)
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.semconv.attributes.url_attributes import URL_PATH, URL_QUERY, URL_SCHEME
from opentelemetry.semconv.attributes.user_agent_attributes import USER_AGENT_ORIGINAL
from opentelemetry.util.http import redact_query_parameters, sanitize_method

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue
    from starlette.types import Scope

__all__ = ["HeaderGetter", "error_name", "metric_attributes", "route_path", "span_attributes", "span_name"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class HeaderGetter(Getter["Scope"]):
    """Reads the headers of an ASGI scope for OpenTelemetry's propagators."""

    def get(self, carrier: Scope, key: str) -> list[str] | None:
        """Every value of a header; several ``baggage`` headers are one list (the propagator reads only one)."""
        wanted = key.lower().encode("latin-1", "replace")
        values = [
            value.decode("latin-1") for name, value in carrier.get("headers") or () if name.lower() == wanted
        ]
        if len(values) > 1 and wanted == b"baggage":
            return [",".join(values)]
        return values or None

    def keys(self, carrier: Scope) -> list[str]:
        """The names of all headers."""
        return [name.decode("latin-1") for name, _ in carrier.get("headers") or ()]


_getter = HeaderGetter()


def header(scope: Scope, name: str) -> str | None:
    """The first value of a request header."""
    values = _getter.get(scope, name)
    return values[0] if values else None


def route_path(scope: Scope) -> str:
    """The path as the application's router sees it: without the prefix that a proxy or a mount took off."""
    path: str = scope.get("path", "")
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root + "/"):
        return path[len(root) :]
    return path


def error_name(error: BaseException) -> str:
    """The value of ``error.type`` for an exception: its class, qualified unless it is a builtin."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _scheme(scope: Scope) -> str:
    default = "ws" if scope["type"] == "websocket" else "http"
    scheme: str = scope.get("scheme") or default
    return scheme


def span_name(scope: Scope, route: str | None) -> str:
    """``GET /orders/{id}``, ``WS /stream/{symbol}``; a request that no route matches is ``GET unmatched``."""
    method = "WS" if scope["type"] == "websocket" else sanitize_method(scope.get("method", ""))
    return f"{'HTTP' if method == '_OTHER' else method} {route or 'unmatched'}"


def metric_attributes(scope: Scope) -> dict[str, AttributeValue]:
    """The bounded attributes that spans and metrics share."""
    attributes: dict[str, AttributeValue] = {URL_SCHEME: _scheme(scope)}
    if scope["type"] == "http":
        attributes[HTTP_REQUEST_METHOD] = sanitize_method(scope.get("method", ""))
    return attributes


def span_attributes(scope: Scope, route: str | None) -> dict[str, AttributeValue]:
    """Everything else that is known when the request arrives."""
    attributes: dict[str, AttributeValue] = {
        **metric_attributes(scope),
        **_server(scope),
        URL_PATH: scope["path"],
    }
    if route is not None:
        attributes[HTTP_ROUTE] = route
    if scope["type"] == "websocket":
        attributes[NETWORK_PROTOCOL_NAME] = "websocket"
    else:
        original = scope.get("method", "")
        if original != attributes[HTTP_REQUEST_METHOD]:
            attributes[HTTP_REQUEST_METHOD_ORIGINAL] = original
        if scope.get("http_version"):
            attributes[NETWORK_PROTOCOL_VERSION] = scope["http_version"]
    query = scope.get("query_string")
    if query:
        attributes[URL_QUERY] = redact_query_parameters("?" + query.decode("latin-1"))[1:]
    agent = header(scope, "user-agent")
    if agent:
        attributes[USER_AGENT_ORIGINAL] = agent
    client = scope.get("client")
    if client:
        attributes[CLIENT_ADDRESS] = client[0]
    return attributes


def _server(scope: Scope) -> dict[str, AttributeValue]:
    authority = header(scope, "host")
    if authority is None:
        address, port = scope.get("server") or (None, None)
    else:
        try:
            parts = urlsplit("//" + authority)
            address, port = parts.hostname, parts.port
        except ValueError:
            return {}
        port = port or _DEFAULT_PORTS.get(_scheme(scope))
    attributes: dict[str, AttributeValue] = {}
    if address:
        attributes[SERVER_ADDRESS] = address
        if port:
            attributes[SERVER_PORT] = port
    return attributes
