"""Which address, protocol and security the OTLP settings come to for a signal."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from ticktrace.errors import SettingsError
from ticktrace.exporters.otlp import temporality
from ticktrace.exporters.otlp_target import OtlpTarget, otlp_target
from ticktrace.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def target(signal: Any = "traces", **environ: str) -> OtlpTarget:
    variables = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in environ.items()}
    return otlp_target(load_settings(environ=variables).settings.otlp, signal)


@pytest.mark.parametrize(
    ("environ", "protocol", "endpoint", "insecure"),
    [
        ({}, "grpc", "localhost:4317", True),
        ({"PROTOCOL": "http/protobuf"}, "http/protobuf", "http://localhost:4318/v1/traces", True),
        ({"ENDPOINT": "http://otel:4318"}, "http/protobuf", "http://otel:4318/v1/traces", True),
        ({"ENDPOINT": "http://otel:4318/"}, "http/protobuf", "http://otel:4318/v1/traces", True),
        ({"ENDPOINT": "https://otel:4318/base"}, "http/protobuf", "https://otel:4318/base/v1/traces", False),
        ({"ENDPOINT": "http://otel:4317"}, "grpc", "otel:4317", True),
        ({"ENDPOINT": "https://otel:4317"}, "grpc", "otel:4317", False),
        ({"ENDPOINT": "http://otel:4317", "INSECURE": "false"}, "grpc", "otel:4317", True),
        ({"ENDPOINT": "otel:4317"}, "grpc", "otel:4317", False),
        ({"ENDPOINT": "otel:4317", "INSECURE": "true"}, "grpc", "otel:4317", True),
        ({"ENDPOINT": "http://otel:4318", "PROTOCOL": "grpc"}, "grpc", "otel:4318", True),
        (
            {"ENDPOINT": "http://otel:4317", "TRACES_ENDPOINT": "http://tempo:4318/in"},
            "http/protobuf",
            "http://tempo:4318/in",
            True,
        ),
        (
            {"ENDPOINT": "http://otel:4317", "TRACES_PROTOCOL": "http/protobuf"},
            "http/protobuf",
            "http://otel:4317/v1/traces",
            True,
        ),
    ],
)
def test_the_endpoint_follows_the_specification(
    environ: dict[str, str], protocol: str, endpoint: str, insecure: bool
) -> None:
    resolved = target(**environ)
    assert (resolved.protocol, resolved.endpoint, resolved.insecure) == (protocol, endpoint, insecure)


def test_a_signals_own_settings_go_before_the_common_ones() -> None:
    environ = {
        "HEADERS": "a=1",
        "LOGS_HEADERS": "B=2",
        "TIMEOUT": "3",
        "LOGS_TIMEOUT": "4",
        "COMPRESSION": "gzip",
    }
    logs, traces = target("logs", **environ), target("traces", **environ)
    assert (logs.headers, logs.timeout, logs.compression) == ((("b", "2"),), 4.0, "gzip")
    assert (traces.headers, traces.timeout) == ((("a", "1"),), 3.0)


def test_an_http_endpoint_without_a_scheme_is_a_located_error() -> None:
    with pytest.raises(SettingsError, match=r"otlp\.traces\.endpoint: 'otel:4318' needs http:// or https://"):
        target(TRACES_ENDPOINT="otel:4318")


def test_nothing_secret_is_shown() -> None:
    resolved = target(ENDPOINT="https://me:hunter2@otel:4318/?key=hunter2", HEADERS="api-key=hunter2")
    assert "hunter2" not in resolved.destination
    assert resolved.destination == "https://otel:4318/v1/traces"
    assert set(resolved.secrets) == {"hunter2", "me:hunter2", "key=hunter2"}


def test_certificates_are_tried_before_anything_is_sent(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    with pytest.raises(SettingsError) as raised:
        target(
            ENDPOINT="https://otel:4317",
            CERTIFICATE=str(broken),
            TRACES_CLIENT_CERTIFICATE=str(tmp_path / "absent.pem"),
        )
    authority, client = raised.value.problems
    assert authority.startswith(f"otlp.certificate: {broken}: not usable as PEM")
    assert client == f"otlp.traces.client_certificate: {tmp_path / 'absent.pem'}: No such file or directory"


def test_certificates_that_work_are_accepted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    try:
        subprocess.run(
            [*command, "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("needs the program openssl")
    resolved = target(
        ENDPOINT="https://otel:4317",
        CERTIFICATE=str(certificate),
        CLIENT_CERTIFICATE=str(certificate),
        CLIENT_KEY=str(key),
    )
    assert (resolved.certificate, resolved.client_key) == (certificate, key)


def test_plain_text_needs_no_certificate() -> None:
    assert target(ENDPOINT="http://otel:4317", CERTIFICATE="absent.pem").insecure


def test_temporality_names_every_kind_of_instrument() -> None:
    assert {len(temporality(name)) for name in ("cumulative", "delta", "lowmemory")} == {6}
