from __future__ import annotations

import re
from pathlib import Path

import pytest

from ticktrace import semconv
from ticktrace.catalog import CATALOG

_PAGE = Path(__file__).parents[4] / "docs" / "event-bus.md"
_TEXT = _PAGE.read_text(encoding="utf-8")
_EXAMPLES = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)


@pytest.mark.parametrize("example", _EXAMPLES, ids=range(len(_EXAMPLES)))
def test_each_example_of_the_page_runs(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "memory")
    exec(compile(example, _PAGE.name, "exec", dont_inherit=True), {"__name__": "example"})  # noqa: S102 - our own page


def test_the_page_names_every_instrument_of_the_bus_and_every_reason() -> None:
    rows = [name for name, row in CATALOG.items() if row.group == "event bus"]
    assert rows
    assert [name for name in rows if f"`{name}`" not in _TEXT] == []
    assert [reason for reason in semconv.DropReason if reason != "other" and f"`{reason}`" not in _TEXT] == []
