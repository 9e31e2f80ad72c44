from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.captured import Captured
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace import Telemetry


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture(autouse=True)
def nothing_breaks_inside() -> Iterator[None]:
    """No test of a bus may bring about an error of ours."""
    before = internal_errors()
    yield
    assert internal_errors() == before
