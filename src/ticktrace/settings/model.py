"""Everything that can be configured, each setting declared once."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from .api import ApiSettings
from .declare import Group, Variable, group, inverted, setting
from .diagnostics import DiagnosticsSettings
from .exporting import (
    ExportersSettings,
    JsonFileSettings,
    MemorySettings,
    OtlpSettings,
    PrometheusSettings,
)
from .notifications import NotificationsSettings
from .objectives import SloSettings
from .resources import ResourcesSettings
from .signals import LogsSettings, MetricsSettings, TracesSettings
from .values import Bool, Duration, FilePath, Names, Ratio, Text, Whole, choice, wrong

__all__ = [
    "ProcessSettings",
    "ResourceSettings",
    "ServiceSettings",
    "Settings",
    "ShutdownSettings",
    "TradingSettings",
]

Engine = Literal["sdk", "deferred"]
Mode = Literal["live", "paper", "backtest"]


class ServiceSettings(Group):
    """Who sends: these become resource attributes of every signal."""

    name: Text = setting("unknown_service:python", "`service.name`: the bot's name.", env="OTEL_SERVICE_NAME")
    version: Text | None = setting(None, "`service.version`: the bot's version.")
    namespace: Text | None = setting(None, "`service.namespace`: what groups several services.")
    environment: Text | None = setting(None, "`deployment.environment.name`: for example production.")
    instance_id: Text | None = setting(None, "`service.instance.id`. When null: a new one for every process.")


class ResourceSettings(Group):
    """Further attributes of the resource."""

    attributes: dict[str, Text] = setting(
        {},
        "Resource attributes, merged key by key over all sources. `service.*` and `deployment.environment.name` set the service's settings.",
        env="OTEL_RESOURCE_ATTRIBUTES",
    )


class TradingSettings(Group):
    """Bounds of the trading instruments."""

    symbols: Names = setting(
        (), "Symbols that get their own series. When empty: the first `max_symbols` seen."
    )
    max_symbols: Whole = setting(100, "Most symbols with series of their own; the rest is `other`.")
    open_orders: Whole = setting(10_000, "Most orders that are remembered, so that late fills find them.")
    near_miss_margin: Ratio = setting(
        0.1, "How close to its threshold, as a share of it, a failed check is a near miss."
    )

    @model_validator(mode="after")
    def _symbols_fit(self) -> Self:
        if len(self.symbols) > self.max_symbols:
            raise wrong(
                f"symbols lists {len(self.symbols)} symbols, more than max_symbols ({self.max_symbols})"
            )
        return self


class ProcessSettings(Group):
    """What is told of the process and its host."""

    system_metrics: Bool = setting(
        default=False,
        description="Whether OpenTelemetry's `process.*`, `cpython.*` and `system.*` are recorded; needs the extra `system`.",
    )
    host_once: Bool = setting(
        default=True,
        description="Whether only one of several processes tells of the host: `system.*`, uptime and disks.",
    )
    host_lock: FilePath | None = setting(
        None,
        "The file whose lock decides which. When null: one for each user, `service.name`, `.namespace` and environment, in the directory for temporary files.",
    )


class ShutdownSettings(Group):
    """How telemetry ends."""

    timeout: Duration = setting(5.0, "One deadline for flushing and closing everything.")
    on_sigterm: Bool = setting(
        default=False, description="Flush on SIGTERM, then let the signal do what it did before."
    )


class Settings(Group):
    """Everything that can be configured; unchanged settings are equal and hash alike."""

    enabled: Bool = setting(
        default=True,
        description="Whether telemetry does anything at all.",
        env=Variable("OTEL_SDK_DISABLED", inverted),
    )
    engine: Annotated[Engine, choice(Engine)] = setting(
        "sdk",
        "What stands behind the API: OpenTelemetry's SDK, or ours, which decides after the fact which traces to keep.",
    )
    mode: Annotated[Mode, choice(Mode)] = setting(
        "live",
        "`trading.engine.mode` of every instrument. In a `backtest` full buffers are waited for; else they drop and count.",
    )
    service: ServiceSettings = group(ServiceSettings(), "Who sends.")
    resource: ResourceSettings = group(ResourceSettings(), "Further resource attributes.")
    exporters: ExportersSettings = group(ExportersSettings(), "Which exporters each signal leaves through.")
    otlp: OtlpSettings = group(OtlpSettings(), "How OTLP receivers are reached.", prefix="OTEL_EXPORTER_OTLP")
    prometheus: PrometheusSettings = group(PrometheusSettings(), "Where Prometheus scrapes.")
    json_file: JsonFileSettings = group(JsonFileSettings(), "The exporter `otlp_json_file`.")
    memory: MemorySettings = group(MemorySettings(), "The exporter `memory`.")
    traces: TracesSettings = group(TracesSettings(), "Which spans are recorded.")
    metrics: MetricsSettings = group(MetricsSettings(), "How metrics are aggregated and sent.")
    logs: LogsSettings = group(LogsSettings(), "Where log records go.")
    diagnostics: DiagnosticsSettings = group(DiagnosticsSettings(), "Decisions and their reasons.")
    propagators: Names = setting(
        ("tracecontext", "baggage"),
        "How the trace context travels between processes.",
        env="OTEL_PROPAGATORS",
    )
    trading: TradingSettings = group(TradingSettings(), "Bounds of the trading instruments.")
    slo: SloSettings = group(SloSettings(), "Service level objectives.")
    notifications: NotificationsSettings = group(
        NotificationsSettings(), "Messages to people, and the dead-man's switch."
    )
    process: ProcessSettings = group(ProcessSettings(), "What is told of the process and its host.")
    resources: ResourcesSettings = group(ResourcesSettings(), "The resource monitor and memory snapshots.")
    api: ApiSettings = group(ApiSettings(), "The metrics API of an instrumented FastAPI app.")
    shutdown: ShutdownSettings = group(ShutdownSettings(), "How telemetry ends.")

    @property
    def captures_logs(self) -> bool:
        """Whether the records of Python's `logging` are to be exported."""
        if self.logs.capture is not None:
            return self.logs.capture
        return any(name != "none" for name in self.exporters.logs)
