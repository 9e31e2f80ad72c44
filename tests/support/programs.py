"""Run the small programs of the tests as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["PROGRAMS", "environment", "run_program", "start_program"]

PROGRAMS = Path(__file__).parent.parent / "programs"


def environment(**variables: str) -> dict[str, str]:
    """This process's environment, which the tests keep clean, and these variables."""
    return {**os.environ, "PYTHONWARNINGS": "error", **variables}


def start_program(name: str, *arguments: object, **variables: str) -> subprocess.Popen[str]:
    """Start a program of tests/programs; it is the caller's to end."""
    return subprocess.Popen(
        [sys.executable, PROGRAMS / name, *map(str, arguments)],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_program(
    name: str, *arguments: object, timeout: float = 50, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of tests/programs to its end and return what it printed; a failed one fails the test."""
    with start_program(name, *arguments, **variables) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    done: subprocess.CompletedProcess[Any] = subprocess.CompletedProcess(
        process.args, process.returncode, out, err
    )
    assert done.returncode == 0, done.stderr
    return done
