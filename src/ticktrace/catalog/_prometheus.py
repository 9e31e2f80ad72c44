"""What a metric and an attribute are called in Prometheus.

The rules of OpenTelemetry's Prometheus exporter for Python (specification/compatibility/prometheus_and_openmetrics.md,
"OTLP Metric points to Prometheus"), restated because that exporter is an optional extra and the names are needed
without it: for the reference page, the alias rules, alerts and dashboards. Tests compare both, for every row of the
catalog and for arbitrary names and units.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["label_name", "series_name"]

_NOT_IN_A_NAME: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_A_LABEL: Final = re.compile(r"[^a-zA-Z0-9]+")
_ANNOTATION: Final = re.compile(r"{.*}")

_TIMES = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
_SIZES = {
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
}
_PHYSICS = {
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
}
_WORDS: Final = _TIMES | _SIZES | _PHYSICS | {"1": "", "%": "percent"}
_PER: Final = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}


def label_name(key: str) -> str:
    """The label that an attribute key becomes, e.g. ``trading_order_side`` for ``trading.order.side``."""
    return _NOT_IN_A_LABEL.sub("_", _without_leading_digit(key))


def series_name(name: str, unit: str, *, counter: bool) -> str:
    """The name of the series that an instrument becomes; a histogram's carry ``_bucket``, ``_sum``, ``_count`` behind it.

    Args:
        name: the instrument's OpenTelemetry name.
        unit: its unit in UCUM, e.g. ``s``, ``By``, ``1``, ``{order}``.
        counter: whether it only ever grows.
    """
    series = _NOT_IN_A_NAME.sub("_", _without_leading_digit(name))
    if counter:
        series = series.removesuffix("_total")
    word = _unit_word(unit)
    if word and not series.endswith(f"_{word}"):
        series = f"{series}_{word}"
    return f"{series}_total" if counter else series


def _without_leading_digit(name: str) -> str:
    return f"_{name[1:]}" if name[:1].isdigit() else name


def _unit_word(unit: str) -> str:
    unit = _ANNOTATION.sub("", unit)
    if unit in _WORDS:
        return _WORDS[unit]
    top, _, bottom = (_NOT_IN_A_NAME.sub("_", part) for part in unit.partition("/"))
    if bottom:
        top = _WORDS.get(top, top)
        per = f"per_{_PER.get(bottom, bottom)}"
        return f"{top}_{per}" if top else per
    return _NOT_IN_A_NAME.sub("_", unit).strip("_")
