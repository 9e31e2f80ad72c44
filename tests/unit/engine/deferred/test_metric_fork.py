from __future__ import annotations

import sys

import pytest

from support.programs import run_program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def test_a_child_measures_whatever_locks_the_parents_threads_held() -> None:
    run_program("fork_while_measuring.py", PYTHONWARNINGS="default")
