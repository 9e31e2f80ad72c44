"""The Python examples of README and docs run as they stand, and the vocabulary on the pages is the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ticktrace import semconv
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_PAGES = (
    "README.md",
    "docs/index.md",
    "docs/getting-started.md",
    "docs/trading.md",
    "docs/measure.md",
    "docs/migration.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/objectives.md",
    "docs/resources.md",
    "docs/memory.md",
    "docs/providers.md",
    "docs/errors.md",
    "docs/logs.md",
    "docs/secrets.md",
    "docs/custom-instruments.md",
)
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Example(NamedTuple):
    page: str
    line: int
    source: str


def _examples() -> Iterator[Example]:
    for page in _PAGES:
        text = (_ROOT / page).read_text(encoding="utf-8")
        for block in _BLOCK.finditer(text):
            yield Example(page, text.count("\n", 0, block.start(1)) + 1, block[1])


@pytest.mark.parametrize("example", list(_examples()), ids=lambda example: f"{example.page}:{example.line}")
def test_each_python_example_runs_by_itself_and_breaks_nothing_inside(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telemetry stays in memory, so no port is opened; what an example leaves running is ended by `clean_environment`."""
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "memory")
    before = internal_errors()
    # The newlines before it let a traceback point at the line of the page.
    code = compile("\n" * (example.line - 1) + example.source, example.page, "exec")
    exec(code, {"__name__": "example"})  # noqa: S102 - our own pages
    assert internal_errors() == before


@pytest.mark.parametrize("page", _PAGES)
def test_each_page_has_an_example(page: str) -> None:
    assert any(example.page == page for example in _examples())


def test_the_data_model_names_every_event_and_every_value_of_the_vocabulary() -> None:
    text = (_ROOT / "docs" / "data-model.md").read_text(encoding="utf-8")
    no_span_events = ("EVENT_HANDLER_NAME", "EVENT_TIME", "EVENT_TYPE")  # attributes
    names = [name for name in semconv.__all__ if name.startswith("EVENT_") and name not in no_span_events]
    assert [name for name in names if f"`{getattr(semconv, name)}`" not in text] == []
    rows = {attribute: ", ".join(kind) for attribute, kind in semconv.ENUMERATIONS.items()}
    assert [
        attribute for attribute, values in rows.items() if f"| `{attribute}` | {values} |" not in text
    ] == []


def test_the_readme_opens_with_two_lines_and_the_two_commands() -> None:
    lines = (_ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[2:4] == ["", "```sh"]
    assert [line.split("#")[0].strip() for line in lines[4:6]] == ["make demo", "make test"]
    assert lines[6] == "```"
