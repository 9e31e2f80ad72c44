"""An application with the API, asked from wherever a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from unit.web.client import TestClient

if TYPE_CHECKING:
    from ticktrace import Telemetry

__all__ = ["ADMIN_KEY", "READ_KEY", "client_of", "keyed"]

READ_KEY = "read-3f6c1d9a7b52"
ADMIN_KEY = "admin-8e0b4c2f1a97"


def keyed(**more: Any) -> dict[str, Any]:
    """Settings with a key of either role, and nothing open."""
    return {
        "loopback": "none",
        "read_keys": {"grafana": READ_KEY},
        "admin_keys": {"ops": ADMIN_KEY},
        **more,
    }


def client_of(
    telemetry: Telemetry,
    address: str = "127.0.0.1",
    app: FastAPI | None = None,
    headers: dict[str, str] | None = None,
) -> TestClient:
    """A client at an address; on the host itself unless it says otherwise."""
    app = FastAPI() if app is None else app
    telemetry.instrument_fastapi(app, shutdown=False)
    return TestClient(app, base_url="http://127.0.0.1:8000", client=(address, 50_000), headers=headers)
