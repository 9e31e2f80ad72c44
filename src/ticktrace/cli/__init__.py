"""The command line: `ticktrace report | explain | config | instruments | memory`."""

from __future__ import annotations

from .app import app

__all__ = ["app"]
