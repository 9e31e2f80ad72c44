from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ticktrace.errors import SettingsError
from ticktrace.sampling import adaptive_sampler_from_argument

if TYPE_CHECKING:
    from unit.settings.conftest import Load

SEED_FILE = """\
# config/metrics.yaml
metrics:
  # Master enable/disable switch
  enabled: true

  # Sampling configuration
  sampling:
    default_rate: 1.0  # 100% sampling
    adaptive: true     # Enable adaptive sampling
    high_load_threshold: 1000  # events/second
    high_load_rate: 0.1  # 10% sampling when over threshold

  # Ring buffer configuration
  buffer:
    size: 131072  # 128K entries (must be power of 2)
    overflow_strategy: overwrite  # overwrite oldest entries

  # Aggregation configuration
  aggregation:
    interval_ms: 100  # Process metrics every 100ms
    percentiles: [50, 95, 99, 99.9]  # Track these percentiles
    sliding_windows:
      - 1s
      - 5s
      - 1m

  # Export configuration
  export:
    enabled: true
    interval_s: 60  # Export every 60 seconds
    formats:
      - json
      - prometheus
    output_dir: ./metrics_exports

  # SLA thresholds (in nanoseconds)
  sla_thresholds:
    CANDLE_PROCESSING: 50000000    # 50ms
    ORDER_FILL: 100000000          # 100ms

  # Alerting configuration
  alerting:
    enabled: true
    slack_webhook: ${SLACK_WEBHOOK_URL}
    alert_on:
      - sla_violation
      - queue_backlog_high
      - gc_pause_long
"""
ENVIRON = {"SLACK_WEBHOOK_URL": "https://hooks.example.com/hunter2"}


def test_the_seeds_file_is_mapped_onto_settings(load: Load) -> None:
    loaded = load(SEED_FILE, ENVIRON)
    settings = loaded.settings

    assert settings.enabled
    assert settings.traces.sampler == "ticktrace_adaptive"
    assert settings.metrics.export_interval == 60
    assert settings.exporters.metrics == ("otlp_json_file", "prometheus")
    assert settings.json_file.directory == Path("metrics_exports")
    assert settings.slo.thresholds == {
        "trading.candle.processing.duration": (0.05,),
        "trading.order.fill.duration": (0.1,),
    }
    assert str(loaded.origins["slo.thresholds.trading.order.fill.duration"]) == "ticktrace.yaml:39"


def test_thresholds_become_objectives_and_alerting_notifications(load: Load) -> None:
    loaded = load(SEED_FILE, ENVIRON)
    objectives = {
        name: (one.instrument, one.threshold, one.target)
        for name, one in loaded.settings.slo.objectives.items()
    }
    assert objectives == {
        "candle_processing": ("trading.candle.processing.duration", 0.05, 0.99),
        "order_fill": ("trading.order.fill.duration", 0.1, 0.99),
    }
    told = loaded.settings.notifications
    assert told.enabled
    assert [url.get_secret_value() for url in told.urls] == ["https://hooks.example.com/hunter2"]
    assert told.on == ("slo_violated", "queue_backlog", "gc_pause")
    assert str(loaded.origins["notifications.urls"]) == "ticktrace.yaml:44"
    assert "hunter2" not in repr(loaded)
    assert not load("alerting: {enabled: false}").settings.notifications.enabled
    ours = load(
        "sla_thresholds: {ORDER_FILL: 5000000}\nslo.objectives.order_fill: {instrument: trading.order.fill.duration, threshold: 1}"
    )
    assert ours.settings.slo.objectives["order_fill"].threshold == 1


def test_percentiles_and_windows_are_those_of_the_statistics(load: Load) -> None:
    loaded = load(SEED_FILE, ENVIRON)
    recent = loaded.settings.metrics.recent
    assert (recent.percentiles, recent.windows) == ((50, 95, 99, 99.9), (1, 5, 60))
    assert loaded.origins["metrics.recent.windows"].source == "file"
    other = load("aggregation: {percentiles: [90], sliding_windows: [10s]}").settings.metrics.recent
    assert (other.percentiles, other.windows) == ((90,), (10,))


def test_the_adaptive_sampler_understands_the_mapped_argument(load: Load) -> None:
    argument = load(SEED_FILE, ENVIRON).settings.traces.sampler_arg
    assert argument == "policy=1000:0.1,ceiling=1"
    adaptive_sampler_from_argument(argument)


def test_what_has_no_effect_yet_is_noted_and_no_secret_is_shown(load: Load) -> None:
    assert load(SEED_FILE, ENVIRON).notes == (
        "ticktrace.yaml:14: metrics.buffer: accepted, has no effect yet",
        "ticktrace.yaml:20: metrics.aggregation.interval_ms: accepted, has no effect",
    )


def test_the_blocks_may_stand_at_the_top(load: Load) -> None:
    top = "\n".join(line[2:] for line in SEED_FILE.splitlines() if line.startswith("  "))
    assert load(top, ENVIRON).settings == load(SEED_FILE, ENVIRON).settings


def test_fixed_sampling_is_a_ratio(load: Load) -> None:
    traces = load("sampling: {adaptive: false, default_rate: 0.25}").settings.traces
    assert (traces.sampler, traces.sampler_arg) == ("parentbased_traceidratio", "0.25")


def test_export_switched_off_leaves_no_metrics_exporter(load: Load) -> None:
    assert load("export: {enabled: false, formats: [json]}").settings.exporters.metrics == ("none",)


def test_the_master_switch_switches_everything_off_and_says_so(load: Load) -> None:
    loaded = load("metrics: {enabled: false}")
    assert not loaded.settings.enabled
    assert "switches everything off" in loaded.notes[0]


def test_our_own_name_for_a_setting_wins_over_the_seeds(load: Load) -> None:
    loaded = load("metrics:\n  export_interval: 10\n  export: {interval_s: 20}\n")
    assert loaded.settings.metrics.export_interval == 10
    assert loaded.notes == (
        "ticktrace.yaml:2: metrics.export_interval wins over metrics.export.interval_s, which says otherwise",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "sampling: {default_rate: 2}",
            "ticktrace.yaml:1: sampling.default_rate: must be a number from 0 to 1, not 2",
        ),
        (
            "metrics:\n  buffer:\n    sizes: 1",
            (
                'ticktrace.yaml:3: metrics.buffer.sizes: unknown setting "sizes"; known: overflow_strategy, size '
                '(did you mean "size"?)'
            ),
        ),
        (
            "sla_thresholds: {ORDER_FIL: 5}",
            'ticktrace.yaml:1: sla_thresholds.ORDER_FIL: unknown event "ORDER_FIL"; known: BUFFER_UPDATE, ',
        ),
        (
            "sla_thresholds: {ORDER_FILL: 5ms}",
            'ticktrace.yaml:1: sla_thresholds.ORDER_FILL: must be a whole number of nanoseconds > 0, not "5ms"',
        ),
        ("sla_thresholds: 5", "ticktrace.yaml:1: sla_thresholds: must be a mapping of names to values"),
        (
            "export: {formats: [csv]}",
            'ticktrace.yaml:1: export.formats[0]: unknown exporter "csv"; known: console, none, otlp, otlp_json_file',
        ),
        (
            "alerting: {slack_webhook: '${NOT_SET}'}",
            "ticktrace.yaml:1: alerting.slack_webhook: ${NOT_SET} is not set in the environment",
        ),
        (
            "aggregation: {percentiles: [101]}",
            "ticktrace.yaml:1: aggregation.percentiles: must be a list of numbers",
        ),
        ("buffer: 5", "ticktrace.yaml:1: buffer: must be a group of settings"),
    ],
)
def test_wrong_values_in_the_seeds_blocks_are_located(load: Load, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(text)
    [found] = caught.value.problems
    assert found.startswith(problem)
