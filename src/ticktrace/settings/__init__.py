"""What can be configured, and where each value in force came from: arguments > environment > file > defaults."""

from __future__ import annotations

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
    SloSettings,
    TradingSettings,
)
from .origin import Origin, mask_url
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
    "ExportersSettings",
    "InstrumentSettings",
    "JsonFileSettings",
    "KeepSettings",
    "Leaf",
    "LoadedSettings",
    "LogsSettings",
    "MemorySettings",
    "MetricsSettings",
    "Origin",
    "OtlpSettings",
    "OtlpSignalSettings",
    "PrometheusSettings",
    "QueueSettings",
    "RecentSettings",
    "ResourceSettings",
    "ServiceSettings",
    "Settings",
    "ShutdownSettings",
    "SloSettings",
    "TracesSettings",
    "TradingSettings",
    "ViewSettings",
    "load_settings",
    "mask_url",
    "settings_schema",
]
