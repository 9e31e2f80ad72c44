"""Read back what the journal says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ticktrace.diagnostics import Line

if TYPE_CHECKING:
    from ticktrace import Telemetry

__all__ = ["journal_lines"]


def journal_lines(telemetry: Telemetry, stage: str | None = None) -> list[Line]:
    """The lines so far, without the first of the file; those of one stage."""
    telemetry.flush()
    path = telemetry.diagnostics.snapshot()["output_path"]
    if path is None:
        return []
    lines = [msgspec.json.decode(text, type=Line) for text in Path(path).read_bytes().splitlines()]
    return [line for line in lines if line.stage != "session" and stage in {None, line.stage}]
