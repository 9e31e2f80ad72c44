from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ticktrace.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from unit.settings.conftest import Load


def problems(load: Load, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(text, environ)
    return caught.value.problems


def test_an_empty_file_and_empty_groups_change_nothing(load: Load) -> None:
    assert load("# nothing\n").settings == load("prometheus:\nresource: {attributes: }\n").settings


def test_null_resets_an_optional_setting_and_is_wrong_elsewhere(load: Load) -> None:
    assert load("service: {version: null}").settings.service.version is None
    assert problems(load, "prometheus: {port: null}") == [
        "ticktrace.yaml:1: prometheus.port: must be a whole number from 0 to 65535 (0 picks a free port)"
    ]


def test_keys_may_be_dotted(load: Load) -> None:
    assert load("prometheus.port: 9000\nresource.attributes.team: a\n").settings.prometheus.port == 9000


def test_variables_in_text_come_from_the_environment(load: Load) -> None:
    text = """
otlp:
  endpoint: http://${HOST}:${PORT:-4317}
  headers: {api-key: "${KEY}"}
prometheus: {port: "${METRICS:-9000}"}
service: {name: "costs $$5, ${EMPTY:-none}"}
"""
    settings = load(text, {"HOST": "collector", "KEY": "hunter2", "EMPTY": ""}).settings
    assert settings.otlp.endpoint == "http://collector:4317"
    assert settings.otlp.headers["api-key"].get_secret_value() == "hunter2"
    assert settings.prometheus.port == 9000
    assert settings.service.name == "costs $5, none"


def test_an_unset_variable_is_reported_once_at_its_place(load: Load) -> None:
    text = "mode: live\nprometheus:\n  port: ${PORT}\nexporters:\n  metrics:\n    - ${EXPORTER}\n"
    assert problems(load, text) == [
        "ticktrace.yaml:3: prometheus.port: ${PORT} is not set in the environment; set it, or give a default: ${PORT:-…}",
        (
            "ticktrace.yaml:6: exporters.metrics[0]: ${EXPORTER} is not set in the environment; "
            "set it, or give a default: ${EXPORTER:-…}"
        ),
    ]


def test_what_is_no_variable_is_reported(load: Load) -> None:
    assert problems(load, "service: {name: '${a-b}'}") == [
        "ticktrace.yaml:1: service.name: ${a-b} is not a variable; write ${NAME} or ${NAME:-default}, $$ for a dollar sign"
    ]


def test_a_wrong_value_from_a_variable_is_shown_as_it_is_written(load: Load) -> None:
    [problem] = problems(load, "prometheus: {port: '${TOKEN}'}", {"TOKEN": "hunter2"})
    assert problem.endswith(', not "${TOKEN}"')


def test_a_wrong_header_does_not_show_its_value(load: Load) -> None:
    assert problems(load, "otlp: {headers: {api-key: [hunter2]}}") == [
        "ticktrace.yaml:1: otlp.headers.api-key: must be text (a secret)"
    ]


def test_a_password_in_a_url_is_hidden(load: Load) -> None:
    [problem] = problems(load, "otlp: {endpoint: 'http://user:hunter2@host:port'}")
    assert problem.endswith('not "http://***@host:port"')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "service:\n  name: a\n b: c",
            "ticktrace.yaml:3: not valid YAML: expected <block end>, but found '<block mapping start>' (column 2)",
        ),
        (
            "service: [a",
            "ticktrace.yaml:1: not valid YAML: expected ',' or ']', but got '<stream end>' (column 12)",
        ),
        ("- a\n- b", "ticktrace.yaml:1: must be a mapping of settings at the top"),
        ("mode: live\n\nmode: paper", "ticktrace.yaml:3: mode: given twice, first on line 1"),
        (
            "prometheus: {port: 1}\nprometheus.port: 2",
            "ticktrace.yaml:2: prometheus.port: given twice, also as prometheus.port",
        ),
        (
            "prometheus: 9464",
            "ticktrace.yaml:1: prometheus: must be a group of settings (host, port, path, token, public, serve), not 9464",
        ),
        (
            "mode: !!python/name:os.system x",
            "ticktrace.yaml:1: mode: not a value: could not determine a constructor",
        ),
        ("a: 1\n--- \nb: 2", "ticktrace.yaml:2: not valid YAML: but found another document (column 1)"),
        (
            "exporters: &x\n  metrics: [*x]",
            "ticktrace.yaml:1: exporters.metrics[0]: an alias must not refer to what contains it",
        ),
        (
            "resource: {attributes: {team: 5}}",
            "ticktrace.yaml:1: resource.attributes.team: must be text (put numbers in quotes), not 5",
        ),
        ("mode.live: true", 'ticktrace.yaml:1: mode.live: unknown setting "live": mode is a single value'),
        (
            "resource: {attributes: 5}",
            "ticktrace.yaml:1: resource.attributes: must be a mapping of names to values",
        ),
    ],
)
def test_what_is_wrong_with_the_file_has_its_line(load: Load, text: str, problem: str) -> None:
    [found] = problems(load, text)
    assert found.startswith(problem)


def test_bytes_that_are_not_utf8_are_reported(load: Load, tmp_path: Path) -> None:
    (tmp_path / "ticktrace.yaml").write_bytes(b"mode: \xff\xfe")
    [problem] = problems(load, "")
    assert problem.startswith("ticktrace.yaml: not valid YAML in UTF-8: ")


def test_the_names_on_and_no_are_names(load: Load) -> None:
    assert load("resource: {attributes: {on: a, no: b}}").settings.resource.attributes == {
        "on": "a",
        "no": "b",
    }


def test_problems_of_a_wrong_file_do_not_hide_those_of_the_environment(load: Load) -> None:
    found = problems(load, "mode: [", {"OTEL_BSP_MAX_QUEUE_SIZE": "abc"})
    assert [problem.split(":")[0] for problem in found] == [
        'environment OTEL_BSP_MAX_QUEUE_SIZE="abc"',
        "ticktrace.yaml",
    ]
