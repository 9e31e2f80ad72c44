from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ticktrace.errors import SettingsError
from ticktrace.settings import LEAVES, Origin, PrometheusSettings, Settings, load_settings

if TYPE_CHECKING:
    from unit.settings.conftest import Load


def test_without_any_source_everything_has_its_default(load: Load) -> None:
    loaded = load()

    assert loaded.settings == Settings()
    assert loaded.file is None
    assert loaded.notes == ()
    assert set(loaded.origins) == {leaf.name for leaf in LEAVES}
    assert set(loaded.origins.values()) == {Origin("default")}


def test_arguments_win_over_environment_over_file_over_defaults(load: Load) -> None:
    file = "service: {name: file, version: '1', namespace: file}\nprometheus:\n  port: 1\n"
    loaded = load(
        file, {"OTEL_SERVICE_NAME": "environment", "TICKTRACE_SERVICE_VERSION": "2"}, service__name="argument"
    )

    service = loaded.settings.service
    assert (service.name, service.version, service.namespace) == ("argument", "2", "file")
    assert str(loaded.origins["service.name"]) == "argument service.name"
    assert str(loaded.origins["service.version"]) == "environment TICKTRACE_SERVICE_VERSION"
    assert str(loaded.origins["service.namespace"]) == "ticktrace.yaml:1"
    assert str(loaded.origins["prometheus.port"]) == "ticktrace.yaml:3"
    assert str(loaded.origins["prometheus.host"]) == "default"


def test_arguments_may_be_nested_dotted_or_groups() -> None:
    nested = load_settings({"prometheus": {"port": 9000}, "otlp": {"traces.timeout": "1s"}}, environ={})
    dotted = load_settings({"prometheus.port": 9000, "otlp.traces.timeout": 1}, environ={})
    groups = load_settings(
        {"prometheus": PrometheusSettings(port=9000), "otlp.traces": {"timeout": 1.0}}, environ={}
    )

    assert nested.settings == dotted.settings == groups.settings
    assert nested.settings.prometheus.port == 9000


def test_an_argument_given_twice_is_an_error() -> None:
    with pytest.raises(
        SettingsError, match=r"argument prometheus.port: given twice, also as prometheus.port"
    ):
        load_settings({"prometheus": {"port": 1}, "prometheus.port": 2}, environ={})


def test_the_file_argument_wins_over_the_variable_over_the_working_directory(
    load: Load, tmp_path: Path
) -> None:
    for name in ("argument", "variable"):
        (tmp_path / f"{name}.yaml").write_text(f"service: {{name: {name}}}")
    environ = {"TICKTRACE_CONFIG": "variable.yaml"}

    assert load("service: {name: directory}").settings.service.name == "directory"
    by_variable = load_settings(environ=environ)
    assert (by_variable.settings.service.name, by_variable.file) == ("variable", Path("variable.yaml"))
    assert load_settings(file="argument.yaml", environ=environ).settings.service.name == "argument"


def test_a_missing_file_is_an_error_only_when_it_was_asked_for(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"argument file='gone.yaml': no such file"):
        load_settings(file="gone.yaml", environ={})
    with pytest.raises(SettingsError, match=r'environment TICKTRACE_CONFIG="gone.yaml": no such file'):
        load_settings(environ={"TICKTRACE_CONFIG": "gone.yaml"})
    assert load().file is None


def test_mappings_are_merged_key_by_key_over_the_sources(load: Load) -> None:
    loaded = load(
        "resource: {attributes: {team: file, region: file}}\notlp: {headers: {X-Key: file}}",
        {
            "OTEL_RESOURCE_ATTRIBUTES": "team=environment",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=environment,y=1",
        },
        resource={"attributes": {"desk": "argument"}},
    )

    assert loaded.settings.resource.attributes == {
        "team": "environment",
        "region": "file",
        "desk": "argument",
    }
    headers = {name: value.get_secret_value() for name, value in loaded.settings.otlp.headers.items()}
    assert headers == {"x-key": "environment", "y": "1"}
    assert str(loaded.origins["resource.attributes.region"]) == "ticktrace.yaml:1"
    assert str(loaded.origins["resource.attributes.team"]) == "environment OTEL_RESOURCE_ATTRIBUTES"
    assert loaded.origins["resource.attributes"].source == "argument"


def test_lists_are_replaced_not_merged(load: Load) -> None:
    loaded = load("exporters: {metrics: [prometheus, otlp]}", {"OTEL_METRICS_EXPORTER": "console"})
    assert loaded.settings.exporters.metrics == ("console",)


def test_an_empty_list_of_exporters_means_none(load: Load) -> None:
    assert load("exporters: {metrics: []}").settings.exporters.metrics == ("none",)


def test_resource_attributes_of_the_service_are_the_weaker_source_of_its_settings(load: Load) -> None:
    attributes = "service.name=weak,service.version=7,deployment.environment=old,team=a%20b"
    loaded = load("service: {name: file}", {"OTEL_RESOURCE_ATTRIBUTES": attributes})
    assert loaded.settings.service.name == "weak", "any environment variable wins over the file"
    assert loaded.settings.service.version == "7"
    assert loaded.settings.service.environment == "old"
    assert loaded.settings.resource.attributes == {"team": "a b"}

    both = load("", {"OTEL_RESOURCE_ATTRIBUTES": attributes, "OTEL_SERVICE_NAME": "strong"})
    assert both.settings.service.name == "strong"
    assert both.notes == ()

    newer = load(
        "", {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=new,deployment.environment=old"}
    )
    assert newer.settings.service.environment == "new"


def test_the_same_settings_are_equal_and_hash_alike() -> None:
    arguments = {
        "resource.attributes": {"a": "1", "b": "2"},
        "slo.thresholds": {"x": "5ms"},
        "otlp.headers": {"k": "s"},
    }
    one = load_settings(arguments, environ={}).settings
    other = load_settings(dict(reversed(arguments.items())), environ={}).settings
    spelled_out = load_settings({**arguments, "enabled": True}, environ={}).settings

    assert one == other == spelled_out
    assert hash(one) == hash(other) == hash(spelled_out)
    assert one != Settings()


def test_secrets_do_not_appear_in_the_representation() -> None:
    settings = load_settings({"otlp.headers": {"api-key": "hunter2"}}, environ={}).settings
    assert "hunter2" not in repr(settings)
    assert settings.otlp.headers["api-key"].get_secret_value() == "hunter2"
