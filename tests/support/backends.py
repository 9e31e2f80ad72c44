"""Real programs that tests run against: found, or the test says what to install."""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["require"]

_PROMETHEUS = "apt-get install -y --no-install-recommends prometheus"
_ALERTMANAGER = "apt-get install -y --no-install-recommends prometheus-alertmanager"
_INSTALL = {
    "amtool": _ALERTMANAGER,
    "chromium": "apt-get install -y chromium",
    "prometheus": _PROMETHEUS,
    "prometheus-alertmanager": _ALERTMANAGER,
    "promtool": _PROMETHEUS,
}


def require(program: str) -> str:
    """The path of a program; without it the test is skipped, and under ``CI=true`` it fails.

    Tests that use it carry the marker `backend`.
    """
    path = shutil.which(program)
    if path is not None:
        return path
    message = f"{program} is not on PATH"
    if program in _INSTALL:
        message = f"{message}; install it: {_INSTALL[program]}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
