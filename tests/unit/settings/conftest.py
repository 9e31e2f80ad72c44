from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ticktrace.settings import LoadedSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EXPORTERS = {
    "traces": ("console", "none", "otlp"),
    "metrics": ("console", "none", "otlp", "otlp_json_file", "prometheus"),
    "logs": ("console", "none", "otlp"),
}
INSTRUMENTS = ("trading.candle.processing.duration", "trading.order.fill.duration")


class Load(Protocol):
    def __call__(
        self, text: str = "", environ: Mapping[str, str] | None = None, **arguments: Any
    ) -> LoadedSettings: ...


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load settings from the text of a `ticktrace.yaml`, an environment and arguments; dots are written `__`."""
    monkeypatch.chdir(tmp_path)

    def loader(text: str = "", environ: Mapping[str, str] | None = None, **arguments: Any) -> LoadedSettings:
        if text:
            (tmp_path / "ticktrace.yaml").write_text(text, encoding="utf-8")
        return load_settings(
            {name.replace("__", "."): value for name, value in arguments.items()},
            environ=environ or {},
            known_exporters=lambda signal: EXPORTERS[signal],
            known_instruments=INSTRUMENTS,
        )

    return loader
