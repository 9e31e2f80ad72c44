"""What was measured before a fork is the parent's; the child measures on, with the same objects, for itself."""

from __future__ import annotations

import json
import sys

import pytest

from support.programs import run_program


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_parent_and_child_each_measure_for_themselves(engine: str) -> None:
    done = run_program(
        "measuring_fork.py",
        TICKTRACE_ENGINE=engine,
        PYTHONWARNINGS="default",  # CPython 3.12 warns of forking with threads, which is what is tested here
    )
    assert json.loads(done.stdout) == {
        "parent": {"metrics": {"work": 2, "token": 1}, "statistics": 2, "ended": True},
        "child": {"metrics": {"work": 3, "dropped": 1}, "statistics": 3, "ended": False},
    }
