from __future__ import annotations

from pathlib import Path

import pytest

from support.programs import run_program


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_is_told_once_with_its_reason_and_harms_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "telemetry"
    directory.mkdir()
    (directory / "traces.jsonl").symlink_to("/dev/full")
    done = run_program(
        "candles.py",
        2_000,
        OTEL_TRACES_EXPORTER="otlp_json_file",
        OTEL_METRICS_EXPORTER="none",
        OTEL_BSP_SCHEDULE_DELAY="50",
    )
    assert done.stdout == "candles 2000\n"
    lines = done.stderr.splitlines()
    assert len([line for line in lines if "No space left on device" in line and "fails" in line]) == 1
    assert len([line for line in lines if "telemetry was lost" in line]) == 1
    assert "Traceback" not in done.stderr
