"""The command line: `ticktrace config check | show | schema`."""

from __future__ import annotations

from .app import app

__all__ = ["app"]
