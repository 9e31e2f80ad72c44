from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ticktrace.settings.values import Bool, Buckets, Duration, Endpoint, Names, Port, Text, Thresholds, Whole


def read(kind: Any, value: object) -> object:
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (5, 5.0),
        (0.25, 0.25),
        ("5", 5.0),
        ("500ms", 0.5),
        ("5s", 5.0),
        ("1m", 60.0),
        ("1.5h", 5400.0),
        ("5us", 5e-06),
        ("50000000ns", 0.05),
        (" 2 s ", 2.0),
        ("1e-3s", 0.001),
    ],
)
def test_a_duration_is_seconds_or_text_with_a_unit(written: object, seconds: float) -> None:
    assert read(Duration, written) == seconds


@pytest.mark.parametrize(
    "written", ["soon", "", "5 days", "-1s", "0", 0, -3, True, None, float("nan"), "inf", [5]]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="must be a duration > 0"):
        read(Duration, written)


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (Whole, "12", 12),
        (Whole, 3.0, 3),
        (Port, 0, 0),
        (Port, "65535", 65535),
        (Bool, "Yes", True),
        (Bool, "off", False),
        (Bool, False, False),
        (Names, "otlp, console,,otlp", ("otlp", "console")),
        (Names, ["a"], ("a",)),
        (Names, (), ()),
        (Buckets, "0.1, 1, 10", (0.1, 1.0, 10.0)),
        (Thresholds, "10ms|50ms|10ms", (0.01, 0.05)),
        (Thresholds, [1, "2s"], (1.0, 2.0)),
        (Thresholds, 0.5, (0.5,)),
    ],
)
def test_values_are_read_from_text_and_from_python(kind: object, written: object, value: object) -> None:
    assert read(kind, written) == value
    assert read(kind, value) == value, "checking twice changes nothing"


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Whole, True),
        (Whole, 1.5),
        (Whole, 0),
        (Whole, "ten"),
        (Port, 65536),
        (Port, -1),
        (Bool, "maybe"),
        (Bool, 1),
        (Names, 7),
        (Names, ["a", 7]),
        (Buckets, [1, 1]),
        (Buckets, []),
        (Buckets, [2, 1]),
        (Thresholds, []),
        (Thresholds, "10ms|soon"),
        (Text, ""),
        (Text, 1.1),
    ],
)
def test_other_values_are_refused(kind: object, written: object) -> None:
    with pytest.raises(ValidationError, match="must be "):
        read(kind, written)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:4318",
        "https://otel.example.com/v1/traces?tenant=a",
        "localhost:4317",
        "collector",
        "http://[::1]:4318",
        "[::1]:4317",
        "https://user:pass@host:443",
        "unix:///run/otel.sock",
    ],
)
def test_an_endpoint_is_a_url_or_a_host_with_a_port(endpoint: str) -> None:
    assert read(Endpoint, endpoint) == endpoint


@pytest.mark.parametrize(
    "endpoint",
    ["http://", "http://:4318", "localhost:99999", "localhost:http", "two words", "ftp://host", 4317],
)
def test_what_is_no_endpoint_is_refused(endpoint: object) -> None:
    with pytest.raises(ValidationError, match="must be a URL"):
        read(Endpoint, endpoint)
