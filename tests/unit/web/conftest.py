from __future__ import annotations

import pytest

from ticktrace.engine import barrier


@pytest.fixture
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what was logged: a place speaks once a minute, whichever test came first."""
    monkeypatch.setattr(barrier, "_last_said", {})
