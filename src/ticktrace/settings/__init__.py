"""What can be configured, and where each value in force came from: arguments > environment > file > defaults."""

from __future__ import annotations

from .api import SHORTEST_KEY, ApiHealthSettings, ApiSettings
from .diagnostics import DiagnosticsSettings, JournalSettings, ScrubSettings
from .exporting import (
    ExportersSettings,
    JsonFileSettings,
    MemorySettings,
    OtlpSettings,
    OtlpSignalSettings,
    PrometheusSettings,
)
from .instruments import InstrumentSettings
from .leaves import LEAVES, Leaf
from .load import DEFAULT_FILE, LoadedSettings, load_settings
from .model import (
    ResourceSettings,
    ServiceSettings,
    Settings,
    ShutdownSettings,
    TradingSettings,
)
from .notifications import DeadManSettings, NotificationsSettings
from .objectives import ObjectiveSettings, SloSettings
from .origin import Origin, mask_url
from .resources import (
    ActionSettings,
    ActionsSettings,
    LimitSettings,
    PruneSettings,
    ResourcesSettings,
    SnapshotSettings,
)
from .schema import settings_schema
from .signals import (
    KeepSettings,
    LogsSettings,
    MetricsSettings,
    QueueSettings,
    RecentSettings,
    TracesSettings,
    ViewSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "LEAVES",
    "SHORTEST_KEY",
    "ActionSettings",
    "ActionsSettings",
    "ApiHealthSettings",
    "ApiSettings",
    "DeadManSettings",
    "DiagnosticsSettings",
    "ExportersSettings",
    "InstrumentSettings",
    "JournalSettings",
    "JsonFileSettings",
    "KeepSettings",
    "Leaf",
    "LimitSettings",
    "LoadedSettings",
    "LogsSettings",
    "MemorySettings",
    "MetricsSettings",
    "NotificationsSettings",
    "ObjectiveSettings",
    "Origin",
    "OtlpSettings",
    "OtlpSignalSettings",
    "PrometheusSettings",
    "PruneSettings",
    "QueueSettings",
    "RecentSettings",
    "ResourceSettings",
    "ResourcesSettings",
    "ScrubSettings",
    "ServiceSettings",
    "Settings",
    "ShutdownSettings",
    "SloSettings",
    "SnapshotSettings",
    "TracesSettings",
    "TradingSettings",
    "ViewSettings",
    "load_settings",
    "mask_url",
    "settings_schema",
]
