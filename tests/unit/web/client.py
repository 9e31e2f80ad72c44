"""Starlette's test client, under the HTTP library that is installed."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Starlette prefers httpx2 and says so when it is imported; either will do here.
    warnings.filterwarnings("ignore", message=".*httpx.*")
    from starlette.testclient import TestClient

__all__ = ["TestClient"]
