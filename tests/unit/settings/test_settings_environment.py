from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ticktrace.errors import SettingsError
from ticktrace.settings import LEAVES, load_settings

if TYPE_CHECKING:
    from unit.settings.conftest import Load


def test_every_setting_has_a_variable_of_its_own() -> None:
    assert [name for name, count in Counter(leaf.variable for leaf in LEAVES).items() if count > 1] == []
    assert "TICKTRACE_CONFIG" not in {leaf.variable for leaf in LEAVES}


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("OTEL_SERVICE_NAME", "bot", "service.name", "bot"),
        ("OTEL_SDK_DISABLED", "TRUE", "enabled", False),
        ("OTEL_SDK_DISABLED", "false", "enabled", True),
        ("OTEL_TRACES_EXPORTER", "otlp,console", "exporters.traces", ("otlp", "console")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "otlp.endpoint", "http://c:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "c:4317", "otlp.traces.endpoint", "c:4317"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf", "otlp.metrics.protocol", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3", "otlp.timeout", 3.0),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "0.5", "otlp.logs.timeout", 0.5),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", "otlp.compression", None),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "otlp.compression", "gzip"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "True", "otlp.insecure", True),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "9000", "prometheus.port", 9000),
        ("METRICS_PORT", "9090", "prometheus.port", 9090),
        ("OTEL_BSP_SCHEDULE_DELAY", "500", "traces.queue.schedule_delay", 0.5),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4096", "traces.queue.max_queue_size", 4096),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "1500", "logs.queue.export_timeout", 1.5),
        ("OTEL_METRIC_EXPORT_INTERVAL", "10000", "metrics.export_interval", 10.0),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "ALWAYS_OFF", "metrics.exemplar_filter", "always_off"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "DELTA", "metrics.temporality", "delta"),
        ("OTEL_PROPAGATORS", "baggage", "propagators", ("baggage",)),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25", "traces.sampler_arg", "0.25"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "8", "traces.attribute_count_limit", 8),
        ("TICKTRACE_ENABLED", "no", "enabled", False),
        ("TICKTRACE_MODE", "paper", "mode", "paper"),
        ("TICKTRACE_METRICS_EXPORT_INTERVAL", "500ms", "metrics.export_interval", 0.5),
        ("TICKTRACE_TRACES_QUEUE_SCHEDULE_DELAY", "2", "traces.queue.schedule_delay", 2.0),
        ("TICKTRACE_TRADING_SYMBOLS", "BTC/USDT, ETH/USDT", "trading.symbols", ("BTC/USDT", "ETH/USDT")),
        (
            "TICKTRACE_SLO_THRESHOLDS",
            "trading.order.fill.duration=50ms|100ms",
            "slo.thresholds",
            {"trading.order.fill.duration": (0.05, 0.1)},
        ),
    ],
)
def test_a_variable_sets_its_setting(variable: str, text: str, name: str, value: object) -> None:
    loaded = load_settings(environ={variable: text})

    found: object = loaded.settings
    for part in name.split("."):
        found = getattr(found, part)
    assert found == value
    assert str(loaded.origins[name]) == f"environment {variable}"


def test_views_may_be_yaml_in_a_variable() -> None:
    loaded = load_settings(environ={"TICKTRACE_METRICS_VIEWS": '[{instrument: "trading.*", drop: true}]'})
    assert [(view.instrument, view.drop) for view in loaded.settings.metrics.views] == [("trading.*", True)]


def test_empty_variables_count_as_unset() -> None:
    names = [
        name for leaf in LEAVES for name in (leaf.variable, *(variable.name for variable in leaf.variables))
    ]
    environ = dict.fromkeys(
        [*names, "METRICS_ENABLED", "PROMETHEUS_ENABLED", "TICKTRACE_CONFIG", "TICKTRACE_X"], ""
    )
    assert load_settings(environ=environ).settings == load_settings(environ={}).settings


def test_an_otel_boolean_is_true_only_when_it_says_true() -> None:
    loaded = load_settings(environ={"OTEL_SDK_DISABLED": "1"})
    assert loaded.settings.enabled
    assert loaded.notes == (
        'environment OTEL_SDK_DISABLED="1": read as false, OpenTelemetry only knows "true" and "false"',
    )


def test_our_variable_wins_over_the_standard_one_and_says_so() -> None:
    loaded = load_settings(environ={"OTEL_SERVICE_NAME": "standard", "TICKTRACE_SERVICE_NAME": "ours"})
    assert loaded.settings.service.name == "ours"
    assert loaded.notes == (
        "environment TICKTRACE_SERVICE_NAME wins over OTEL_SERVICE_NAME, which says otherwise",
    )

    same = load_settings(environ={"OTEL_SERVICE_NAME": "same", "TICKTRACE_SERVICE_NAME": "same"})
    assert same.notes == ()


def test_the_specific_limit_wins_over_the_general_one() -> None:
    environ = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "10", "OTEL_ATTRIBUTE_COUNT_LIMIT": "20"}
    traces = load_settings(environ=environ).settings.traces
    assert (traces.attribute_count_limit, traces.event_attribute_count_limit) == (10, 20)


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        (
            "OTEL_BSP_MAX_QUEUE_SIZE",
            "abc",
            'environment OTEL_BSP_MAX_QUEUE_SIZE="abc": must be a whole number > 0',
        ),
        (
            "OTEL_BSP_SCHEDULE_DELAY",
            "5s",
            'environment OTEL_BSP_SCHEDULE_DELAY="5s": must be a number of milliseconds > 0',
        ),
        (
            "OTEL_METRICS_EXPORTER",
            "promethues",
            (
                'environment OTEL_METRICS_EXPORTER="promethues": unknown exporter "promethues"; '
                'known: console, none, otlp, otlp_json_file, prometheus (did you mean "prometheus"?)'
            ),
        ),
        (
            "TICKTRACE_PROMETEUS_PORT",
            "1",
            'environment TICKTRACE_PROMETEUS_PORT: unknown variable (did you mean "TICKTRACE_PROMETHEUS_PORT"?)',
        ),
        (
            "TICKTRACE_XYZZY",
            "1",
            "environment TICKTRACE_XYZZY: unknown variable; docs/reference/configuration.md lists all",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "team",
            'environment OTEL_RESOURCE_ATTRIBUTES="team": must be key=value pairs separated by commas',
        ),
        (
            "TICKTRACE_SLO_THRESHOLDS",
            "trading.order.fill.duration=soon",
            (
                'environment TICKTRACE_SLO_THRESHOLDS="trading.order.fill.duration=soon": key "trading.order.fill.duration": '
                'must be one duration > 0 or a list of them: seconds as a number, or text such as "50ms"'
            ),
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            'environment OTEL_EXPORTER_OTLP_PROTOCOL="http/json": unknown value "http/json"; known: grpc, http/protobuf',
        ),
        (
            "OTEL_EXPORTER_PROMETHEUS_HOST",
            "localhost:9464",
            'environment OTEL_EXPORTER_PROMETHEUS_HOST="localhost:9464": must be a host name or address, without a port',
        ),
        ("METRICS_ENABLED", "maybe", 'environment METRICS_ENABLED="maybe": must be true or false'),
        (
            "TICKTRACE_ENGINE",
            "defered",
            'environment TICKTRACE_ENGINE="defered": unknown value "defered"; known: sdk, deferred (did you mean "deferred"?)',
        ),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_allowed(
    load: Load, variable: str, text: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load("", {variable: text})
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(message)


def test_a_wrong_secret_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={"OTEL_EXPORTER_OTLP_HEADERS": "hunter2"})
    assert caught.value.problems == [
        "environment OTEL_EXPORTER_OTLP_HEADERS: must be key=value pairs separated by commas"
    ]


def test_variables_without_effect_are_noted() -> None:
    loaded = load_settings(environ={"OTEL_CONFIG_FILE": "otel.yaml"})
    assert loaded.notes[0].startswith("environment OTEL_CONFIG_FILE: accepted, has no effect")


@pytest.mark.parametrize(
    ("environ", "exporters"),
    [
        ({"METRICS_ENABLED": "true"}, ("prometheus",)),
        ({"METRICS_ENABLED": "false"}, ("none",)),
        ({"METRICS_ENABLED": "false", "PROMETHEUS_ENABLED": "true"}, ("none",)),
        ({"METRICS_ENABLED": "false", "OTEL_METRICS_EXPORTER": "otlp"}, ("otlp",)),
        ({"PROMETHEUS_ENABLED": "false"}, ("none",)),
        ({"PROMETHEUS_ENABLED": "true"}, ("prometheus",)),
    ],
)
def test_the_seeds_variables_switch_metrics_and_prometheus(
    environ: dict[str, str], exporters: tuple[str, ...]
) -> None:
    assert load_settings(environ=environ).settings.exporters.metrics == exporters


def test_prometheus_enabled_adds_to_what_the_file_says(load: Load) -> None:
    file = "exporters: {metrics: otlp}"
    assert load(file, {"PROMETHEUS_ENABLED": "true"}).settings.exporters.metrics == ("otlp", "prometheus")
    both = "exporters: {metrics: [prometheus, otlp]}"
    assert load(both, {"PROMETHEUS_ENABLED": "false"}).settings.exporters.metrics == ("otlp",)
