"""The quickstart does what it prints."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.programs import environment
from support.prometheus import free_port

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.py"


@pytest.mark.usefixtures("interruptible")
def test_the_quickstart_serves_its_metrics_until_it_is_interrupted() -> None:
    port = free_port()
    program = subprocess.Popen(
        [sys.executable, QUICKSTART],
        env=environment(OTEL_EXPORTER_PROMETHEUS_PORT=str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    page = ""
    try:
        deadline = time.monotonic() + 40
        while (
            "trading_signal_confidence_count" not in page
        ):  # a signal was emitted, so every kind of stage ran
            assert program.poll() is None, program.communicate()[1]
            assert time.monotonic() < deadline, page
            time.sleep(0.1)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
                    page = response.read().decode()
            except (OSError, urllib.error.URLError):
                continue
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
        assert (program.returncode, err) == (0, "")
        assert "/metrics" in out
    finally:
        program.kill()
        program.communicate()
