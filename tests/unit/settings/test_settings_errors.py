from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inline_snapshot import snapshot

from ticktrace.errors import SettingsError

if TYPE_CHECKING:
    from unit.settings.conftest import Load

TEN_WRONG_SETTINGS = """\
service:
  name: breakout-bot
  versoin: "1.0"
exporters:
  metrics: [promethues, otlp]
prometheus:
  port: 99999
otlp:
  headers:
    api-key: ${BACKEND_API_KEY}
metrics:
  export_interval: soon
  views:
    - instrument: trading.candle.*
      drop: true
      buckets: [0.1, 1]
traces:
  queue:
    max_queue_size: many
propagators: [tracecontext, bagage]
slo:
  thresholds:
    trading.candel.processing.duration: 50ms
mode: papper
"""


def test_ten_wrong_settings_in_one_file_give_ten_located_errors_in_one_message(load: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        load(TEN_WRONG_SETTINGS)
    assert str(caught.value) == snapshot("""\
10 settings are wrong:
  ticktrace.yaml:3: service.versoin: unknown setting "versoin"; known: environment, instance_id, name, namespace, version (did you mean "version"?)
  ticktrace.yaml:5: exporters.metrics[0]: unknown exporter "promethues"; known: console, none, otlp, otlp_json_file, prometheus (did you mean "prometheus"?)
  ticktrace.yaml:7: prometheus.port: must be a whole number from 0 to 65535 (0 picks a free port), not 99999
  ticktrace.yaml:10: otlp.headers.api-key: ${BACKEND_API_KEY} is not set in the environment; set it, or give a default: ${BACKEND_API_KEY:-…}
  ticktrace.yaml:12: metrics.export_interval: must be a duration > 0: seconds as a number, or text such as "500ms", "5s", "1m", not "soon"
  ticktrace.yaml:14: metrics.views[0]: drop contradicts buckets: a dropped instrument has nothing to change
  ticktrace.yaml:19: traces.queue.max_queue_size: must be a whole number > 0, not "many"
  ticktrace.yaml:20: propagators[1]: unknown propagator "bagage"; known: baggage, none, tracecontext (did you mean "baggage"?)
  ticktrace.yaml:23: slo.thresholds.trading.candel.processing.duration: unknown instrument "trading.candel.processing.duration" (did you mean "trading.candle.processing.duration"?)
  ticktrace.yaml:24: mode: unknown value "papper"; known: live, paper, backtest (did you mean "paper"?)\
""")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "traces: {queue: {max_queue_size: 100}}",
            (
                "ticktrace.yaml:1: traces.queue.max_queue_size: "
                "max_export_batch_size (512) must not exceed max_queue_size (100)"
            ),
        ),
        (
            "traces: {sampler: traceidratio,\n sampler_arg: 2}",
            'ticktrace.yaml:2: traces.sampler_arg: sampler_arg of traceidratio must be a number from 0 to 1, not "2"',
        ),
        (
            "traces: {sampler: alwayson}",
            (
                'ticktrace.yaml:1: traces.sampler: unknown sampler "alwayson"; known: always_off, always_on, '
                "parentbased_always_off, parentbased_always_on, parentbased_traceidratio, ticktrace_adaptive, traceidratio "
                '(did you mean "always_on"?)'
            ),
        ),
        (
            "otlp: {client_key: key.pem}",
            "ticktrace.yaml:1: otlp.client_key: client_key needs client_certificate beside it",
        ),
        (
            "trading: {symbols: [a, b], max_symbols: 1}",
            "ticktrace.yaml:1: trading.symbols: symbols lists 2 symbols, more than max_symbols (1)",
        ),
        ("exporters: {traces: [none, otlp]}", 'ticktrace.yaml:1: exporters.traces: "none" contradicts otlp'),
        (
            "prometheus: {path: metrics}",
            'ticktrace.yaml:1: prometheus.path: must be a URL path that starts with "/", not "metrics"',
        ),
    ],
)
def test_settings_that_contradict_each_other_are_located(load: Load, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(text)
    assert caught.value.problems == [problem]


def test_a_wrong_value_is_not_reported_again_as_a_contradiction(load: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        load("traces: {queue: {max_queue_size: x, max_export_batch_size: 4096}}")
    assert len(caught.value.problems) == 1


def test_a_wrong_value_is_reported_even_where_a_stronger_source_overrides_it(load: Load) -> None:
    with pytest.raises(SettingsError, match=r"ticktrace.yaml:1: prometheus.port: must be"):
        load("prometheus: {port: x}", {"OTEL_EXPORTER_PROMETHEUS_PORT": "1"}, prometheus__port=2)


def test_a_wrong_argument_is_named(load: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        load(exporters__metrics=["prom"], prometheus__port="x", enabeld=True)
    assert caught.value.problems == snapshot(
        [
            'argument enabeld: unknown setting "enabeld"; known: api, diagnostics, enabled, engine, exporters, json_file, logs, memory, metrics, mode, notifications, otlp, process, prometheus, propagators, resource, resources, service, shutdown, slo, traces, trading (did you mean "enabled"?)',
            'argument exporters.metrics[0]: unknown exporter "prom"; known: console, none, otlp, otlp_json_file, prometheus (did you mean "prometheus"?)',
            'argument prometheus.port: must be a whole number from 0 to 65535 (0 picks a free port), not "x"',
        ]
    )


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        ("{drop: true}", "instrument: is required"),
        ("{instrument: a}", "changes nothing"),
        ("{instrument: a, drop: true, rename: b}", "drop contradicts rename"),
        ("{instrument: a, buckets: [1], exponential: true}", "buckets contradicts exponential"),
        ("{instrument: a, kind: counter, buckets: [1]}", "buckets contradicts kind counter"),
        ("{instrument: a, kind: gauge, exponential: true}", "exponential contradicts kind gauge"),
        ("{instrument: 'a.*', rename: b}", "rename contradicts the wildcard"),
        ("{instrument: a, rename: b, max_size: 20}", "max_size needs exponential: true"),
        ("{instrument: a, kind: histogramm, drop: true}", 'did you mean "histogram"?'),
        ("{instrument: a, exponential: true, max_scale: 21}", "must be a whole number from -10 to 20"),
        ("a", "must be a group of settings"),
    ],
)
def test_a_view_that_contradicts_itself_is_an_error(load: Load, view: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(f"metrics:\n  views:\n    - {view}\n")
    [found] = caught.value.problems
    assert found.startswith("ticktrace.yaml:3: metrics.views[0]")
    assert problem in found
