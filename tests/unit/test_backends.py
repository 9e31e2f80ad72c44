from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from support.backends import require

if TYPE_CHECKING:
    from pathlib import Path


def _only_on_path(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(directory))


def test_a_program_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "promtool").symlink_to(sys.executable)
    _only_on_path(tmp_path, monkeypatch)
    assert require("promtool") == str(tmp_path / "promtool")


def test_a_missing_program_skips_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_on_path(tmp_path, monkeypatch)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(
        pytest.skip.Exception, match=r"promtool is not on PATH; install it: apt-get .* prometheus"
    ):
        require("promtool")


def test_a_missing_program_fails_under_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_on_path(tmp_path, monkeypatch)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="promtool is not on PATH"):
        require("promtool")
