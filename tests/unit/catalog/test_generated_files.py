"""What is generated from catalog and settings is checked in fresh, and its generators notice when it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ticktrace.catalog import CATALOG

ROOT = Path(__file__).parents[3]
GENERATED = {
    "alias_rules.py": "monitoring/prometheus/rules/aliases.yml",
    "configuration_reference.py": "docs/reference/configuration.md",
    "instruments_reference.py": "docs/reference/instruments.md",
    "journal_reference.py": "docs/journal.schema.json",
}


def run(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tools" / tool, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.parametrize("tool", GENERATED)
def test_the_file_in_the_repository_is_fresh(tool: str) -> None:
    done = run(tool, "--check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("tool", GENERATED)
def test_a_stale_or_missing_file_fails_the_check_until_it_is_written(tool: str, tmp_path: Path) -> None:
    file = tmp_path / "deeper" / "file"
    assert run(tool, "--output", file, "--check").returncode == 1
    assert run(tool, "--output", file).returncode == 0
    assert run(tool, "--output", file, "--check").returncode == 0
    file.write_text(file.read_text() + "by hand\n")
    done = run(tool, "--output", file, "--check")
    assert (done.returncode, done.stderr) == (1, f"{GENERATED[tool]} is stale; run: python tools/{tool}\n")
    assert file.read_text().endswith("by hand\n")


def test_the_reference_names_every_instrument_series_and_alias() -> None:
    page = (ROOT / GENERATED["instruments_reference.py"]).read_text()
    for row in CATALOG.values():
        for name in (row.name, row.prometheus_name, *row.attributes, *row.aliases):
            assert f"`{name}`" in page
