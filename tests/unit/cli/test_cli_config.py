from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

from ticktrace import __version__
from ticktrace.cli import app
from ticktrace.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """\
service:
  name: breakout-bot
resource:
  attributes: {service.team: a, price: "$$5"}
otlp:
  endpoint: https://user:hunter2@collector:4317
  headers: {api-key: hunter2}
metrics:
  views:
    - instrument: trading.candle.delay
      buckets: [0.1, 1]
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty directory, without variables that mean something to ticktrace."""
    monkeypatch.chdir(tmp_path)
    for name in ("OTEL_", "TICKTRACE_", "METRICS_", "PROMETHEUS_"):
        for variable in [key for key in os.environ if key.startswith(name)]:
            monkeypatch.delenv(variable)
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_version() -> None:
    assert run("--version") == (0, f"ticktrace {__version__}\n", "")


def test_help_names_the_commands() -> None:
    code, text, _ = run("config", "--help")
    assert code == 0
    assert all(command in text for command in ("check", "show", "schema"))


def test_check_accepts_a_right_file_and_counts_its_settings(directory: Path) -> None:
    (directory / "my.yaml").write_text(SETTINGS)
    code, text, error = run("config", "check", "my.yaml")
    assert (code, error) == (0, "")
    assert text == "my.yaml: ok\n"


def test_check_prints_notes(directory: Path) -> None:
    (directory / "my.yaml").write_text("buffer: {size: 8}")
    assert run("config", "check", "my.yaml")[1] == (
        "note: my.yaml:1: buffer: accepted, has no effect yet\nmy.yaml: ok\n"
    )


def test_check_lists_every_problem_on_standard_error_and_exits_with_1(directory: Path) -> None:
    (directory / "my.yaml").write_text(
        "exporters: {metrics: promethues}\nslo: {thresholds: {x: 1s}}\nmode: papper\n"
    )
    code, text, error = run("config", "check", "my.yaml")
    assert (code, text) == (1, "")
    lines = error.splitlines()
    assert lines[0] == "3 settings are wrong:"
    assert lines[1].startswith('  my.yaml:1: exporters.metrics[0]: unknown exporter "promethues"; known: ')
    assert lines[1].endswith('(did you mean "prometheus"?)')
    assert lines[2].startswith('  my.yaml:2: slo.thresholds.x: unknown instrument "x"')
    assert lines[3].startswith('  my.yaml:3: mode: unknown value "papper"')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "traces: {sampler: ticktrace_adaptive, sampler_arg: 'polici=1'}",
            "my.yaml:1: traces.sampler_arg: unknown option 'polici'",
        ),
        ("slo: {thresholds: {trading.candles.processed: 1s}}", "my.yaml:1: slo.thresholds"),
    ],
)
def test_check_finds_what_only_the_start_would_find(directory: Path, text: str, problem: str) -> None:
    (directory / "my.yaml").write_text(text)
    code, _, error = run("config", "check", "my.yaml")
    assert code == 1
    assert problem in error


def test_check_without_a_file_checks_what_the_program_would_read(directory: Path) -> None:
    assert run("config", "check")[1] == "no settings file: ok\n"
    (directory / "ticktrace.yaml").write_text("mode: paper")
    assert run("config", "check")[1] == "ticktrace.yaml: ok\n"


def test_check_of_a_missing_file_fails() -> None:
    code, _, error = run("config", "check", "gone.yaml")
    assert code == 1
    assert "argument file='gone.yaml': no such file" in error


def test_show_gives_each_value_and_where_it_came_from(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "ticktrace.yaml").write_text(SETTINGS)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,console")
    code, text, _ = run("config", "show")
    assert code == 0
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}
    assert rows["service.name"] == "breakout-bot ticktrace.yaml:2"
    assert rows["exporters.traces"] == "otlp, console environment OTEL_TRACES_EXPORTER"
    assert rows["prometheus.port"] == "9464 default"
    assert rows["resource.attributes.service.team"] == "a ticktrace.yaml:4"
    assert rows["otlp.headers.api-key"] == "******** ticktrace.yaml:7"
    assert rows["otlp.endpoint"] == "https://***@collector:4317 ticktrace.yaml:6"


def test_show_takes_the_file_as_check_does(directory: Path) -> None:
    (directory / "my.yaml").write_text(SETTINGS)
    assert run("config", "show", "my.yaml") == run("config", "show", "--file", "my.yaml")


def test_show_json_has_values_origins_and_notes(directory: Path) -> None:
    (directory / "my.yaml").write_text(SETTINGS)
    shown = json.loads(run("config", "show", "--file", "my.yaml", "--format", "json")[1])
    assert shown["file"] == "my.yaml"
    assert shown["settings"]["metrics"]["views"] == [
        {"instrument": "trading.candle.delay", "buckets": [0.1, 1.0]}
    ]
    assert shown["origins"]["service.name"] == "my.yaml:2"
    assert shown["notes"] == []


@pytest.mark.parametrize("format_", ["text", "json", "yaml"])
def test_show_never_prints_a_secret(directory: Path, format_: str) -> None:
    (directory / "ticktrace.yaml").write_text(SETTINGS)
    assert "hunter2" not in run("config", "show", "--format", format_)[1]


def test_show_yaml_is_a_settings_file_that_says_the_same(directory: Path) -> None:
    (directory / "my.yaml").write_text(SETTINGS)
    text = run("config", "show", "--file", "my.yaml", "--format", "yaml")[1]
    assert "name: breakout-bot  # my.yaml:2" in text

    (directory / "shown.yaml").write_text(text)
    shown, mine = (load_settings(file=name, environ={}).settings for name in ("shown.yaml", "my.yaml"))
    hidden = {"otlp": {"endpoint", "headers"}}
    assert shown.model_dump(exclude=hidden) == mine.model_dump(exclude=hidden)


def test_show_changed_leaves_defaults_out(directory: Path) -> None:
    (directory / "ticktrace.yaml").write_text("mode: paper")
    assert yaml.safe_load(run("config", "show", "--changed", "--format", "yaml")[1]) == {"mode": "paper"}


def test_schema_is_json() -> None:
    assert json.loads(run("config", "schema")[1])["properties"]["prometheus"]


def test_the_module_runs_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ticktrace", "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (0, f"ticktrace {__version__}\n")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_command_says_what_to_install(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None\nfrom ticktrace.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "config", "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'ticktrace[cli]'" in done.stderr
