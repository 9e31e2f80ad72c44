"""Keys: from settings and from a file, which may change while the bot runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ticktrace.errors import SettingsError
from ticktrace.settings import ApiSettings
from ticktrace.web.api._keys import Caller, Keys

if TYPE_CHECKING:
    from pathlib import Path

ONE = "0123456789abcdef"
OTHER = "fedcba9876543210"


def changed(file: Path, text: str, at: int) -> None:
    file.write_text(text)
    os.utime(file, ns=(at, at))


def test_a_key_is_its_holder_and_role() -> None:
    keys = Keys(ApiSettings(read_keys={"grafana": SecretStr(ONE)}, admin_keys={"ops": SecretStr(OTHER)}))
    assert keys.find(ONE.encode()) == Caller("grafana", "read")
    assert keys.find(OTHER.encode()) == Caller("ops", "admin")
    assert keys.any


def test_without_keys_nothing_opens() -> None:
    keys = Keys(ApiSettings())
    assert not keys.any
    assert keys.find(b"") is None


@given(
    st.one_of(st.binary(max_size=40), st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")))
)
def test_nothing_else_is_a_key(presented: bytes) -> None:
    keys = Keys(ApiSettings(read_keys={"grafana": SecretStr(ONE)}))
    assert (keys.find(presented) is None) == (presented != ONE.encode())


@pytest.mark.parametrize("cut", [ONE[:-1], ONE + "0", ONE.upper(), f" {ONE}", ONE + "\0"])
def test_what_looks_like_a_key_is_none(cut: str) -> None:
    assert Keys(ApiSettings(read_keys={"grafana": SecretStr(ONE)})).find(cut.encode()) is None


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    changed(file, f"# who\nread grafana {ONE}\n", 1)
    keys = Keys(ApiSettings(keys_file=file))
    assert keys.find(ONE.encode()) == Caller("grafana", "read")
    changed(file, f"admin ops {OTHER}\n", 2)
    assert keys.find(ONE.encode()) is None
    assert keys.find(OTHER.encode()) == Caller("ops", "admin")


def test_a_file_that_is_gone_opens_nothing_until_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    changed(file, f"read grafana {ONE}\n", 1)
    keys = Keys(ApiSettings(keys_file=file))
    file.unlink()
    assert keys.find(ONE.encode()) is None
    assert not keys.any
    assert "cannot be read" in caplog.text
    changed(file, f"read grafana {ONE}\n", 1)
    assert keys.find(ONE.encode()) is not None


def test_a_wrong_line_is_no_key_and_its_text_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    changed(file, f"read grafana {ONE}\n", 1)
    keys = Keys(ApiSettings(keys_file=file))
    changed(file, f"{OTHER}\nread grafana {ONE}\nread short abc\nroot x {OTHER}\n", 2)
    assert keys.find(OTHER.encode()) is None
    assert keys.find(ONE.encode()) == Caller("grafana", "read")
    assert "line 1" in caplog.text
    assert OTHER not in caplog.text


@pytest.mark.parametrize(
    "content", ["read grafana short", f"write x {ONE}", f"read {ONE}", f"read {'n' * 65} {ONE}", "#" * 70_000]
)
def test_a_wrong_file_stops_the_start(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    with pytest.raises(SettingsError, match="keys_file"):
        Keys(ApiSettings(keys_file=file))


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Keys(ApiSettings(keys_file=tmp_path / "none"))


@pytest.mark.parametrize("value", ["short", "fifteen-letters", "with blank in it!", "schlüssel-mit-umlaut"])
def test_settings_take_no_weak_key(value: str) -> None:
    with pytest.raises(ValueError, match="16 characters"):
        ApiSettings(read_keys={"grafana": SecretStr(value)})


def test_a_name_has_one_role() -> None:
    with pytest.raises(ValueError, match="grafana is the name both"):
        ApiSettings(read_keys={"grafana": SecretStr(ONE)}, admin_keys={"grafana": SecretStr(OTHER)})
