"""The scrubber: values of any depth, secrets of the environment, what the settings say, and faults."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest

from ticktrace import SettingsError
from ticktrace.scrubbing import REDACTED, Scrubber, scrubber_of
from ticktrace.settings import ScrubSettings, load_settings

KEY = "Zk9mQ2vT7pL4"
PLAIN = Scrubber(ScrubSettings(), {})


@dataclass
class Login:
    user: str
    api_key: str


class Side(StrEnum):
    BUY = "buy"
    BAD = "api_key=abc123"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


class Fill(NamedTuple):
    price: float
    note: str


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [
            None, True, 5, 4.2, "BTC/USDT", b"abc", (), [], {}, [1, "a"], {"a": {"b": [1, {"c": 2}]}}, {1, 2},
            Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC), UUID(int=5), Path("/var/x"), Side.BUY, np.float64(1.5),
            np.arange(3), Fill(1.5, "x"), OrderedDict(a=1), object(), Login, float("nan"),
        ],
        ids=repr,
    )  # fmt: skip
    def test_what_has_no_secret_is_the_same_object(self, value: Any) -> None:
        assert PLAIN.value(value) is value

    @pytest.mark.parametrize(
        ("value", "scrubbed"),
        [
            ("token=abc123", f"token={REDACTED}"),
            (b"token=abc123", REDACTED),
            ({"api_key": "abc123", "n": 1}, {"api_key": REDACTED, "n": 1}),
            ({"a": [{"password": 12345}]}, {"a": [{"password": REDACTED}]}),
            ({"headers": (("x", "token=abc123"),)}, {"headers": (("x", f"token={REDACTED}"),)}),
            ({"credentials": {"user": "me"}}, {"credentials": REDACTED}),
            ({"api": {"key": "abc123"}}, {"api": {"key": REDACTED}}),
            (
                {"account": {"id": 7654321, "currency": "USD"}},
                {"account": {"id": REDACTED, "currency": "USD"}},
            ),
            ({"account": "main"}, {"account": REDACTED}),
            (
                {"token": None, "secret": False, "password": ""},
                {"token": None, "secret": False, "password": ""},
            ),
            ({"Bearer abc123def": 1}, {f"Bearer {REDACTED}": 1}),
            (["--api-key", "abc123", "--fast"], ["--api-key", REDACTED, "--fast"]),
            (["python", "--api-key=abc123"], ["python", f"--api-key={REDACTED}"]),
            (MappingProxyType({"secret": "abc123"}), {"secret": REDACTED}),
            (Side.BAD, f"api_key={REDACTED}"),
            (Login("me", "abc123"), f"Login(user='me', api_key='{REDACTED}')"),
            (ValueError("api_key=abc123"), f"ValueError('api_key={REDACTED}')"),
            (Fill(1.5, "api_key=abc123"), (1.5, f"api_key={REDACTED}")),
        ],
    )
    def test_a_secret_is_replaced_wherever_it_is(self, value: Any, scrubbed: Any) -> None:
        assert PLAIN.value(value) == scrubbed

    def test_the_original_is_left_as_it_was(self) -> None:
        original = {"a": [{"password": "abc123"}]}
        PLAIN.value(original)
        PLAIN.mapping(original)
        assert original == {"a": [{"password": "abc123"}]}

    def test_a_mapping_is_a_copy(self) -> None:
        clean = {"a": 1}
        copy = PLAIN.mapping(clean)
        assert copy == clean
        assert copy is not clean

    def test_names_that_are_no_text(self) -> None:
        assert PLAIN.mapping({1: "api_key=abc", (1, 2): 3, None: 4}) == {
            1: f"api_key={REDACTED}",
            (1, 2): 3,
            None: 4,
        }


class TestBounds:
    def test_what_holds_itself(self) -> None:
        loop: list[Any] = ["x"]
        loop += [loop, loop]
        assert "x" in PLAIN.value(loop)

    def test_depth(self) -> None:
        deep: Any = "api_key=abc123"
        for _ in range(500):
            deep = {"a": deep}
        assert "abc123" not in repr(PLAIN.value(deep))

    def test_breadth(self) -> None:
        wide = [[f"api_key=abc123{number}"] for number in range(50_000)]
        assert "abc123" not in repr(PLAIN.value(wide))

    def test_what_is_remembered(self) -> None:
        scrubber = Scrubber(ScrubSettings(), {})
        for number in range(30_000):
            scrubber.text(f"order {number}")
        assert len(scrubber.clean) <= 8_192


class TestEnvironment:
    ENVIRON = {  # noqa: RUF012  not changed
        "BINANCE_API_KEY": KEY,
        "DB_PASSWORD": 'p"ss w/rd',
        "IBKR_ACCOUNT": "12345678",
        "SECRET_MODE": "production",
        "AUTH_TOKEN": "short",
        "API_SECRET": "production",
        "APP_SECRET": "/run/secrets/app_secret",
        "EDITOR": "emacs-nox-29",
    }

    def test_values_of_variables_named_like_secrets_are_secrets(self) -> None:
        scrubber = Scrubber(ScrubSettings(), self.ENVIRON)
        assert scrubber.text(f"sent {KEY} twice") == f"sent {REDACTED} twice"
        assert scrubber.text('got p"ss w/rd') == f"got {REDACTED}"
        assert scrubber.text('{"x": "p\\"ss w/rd"}') == f'{{"x": "{REDACTED}"}}'
        assert scrubber.text("x=p%22ss%20w%2Frd&y=1") == f"x={REDACTED}&y=1"

    def test_others_are_not(self) -> None:
        scrubber = Scrubber(ScrubSettings(), self.ENVIRON)
        for text in ("production", "short", "/run/secrets/app_secret", "emacs-nox-29"):
            assert scrubber.text(text) is text

    def test_numbers_only_as_a_whole(self) -> None:
        scrubber = Scrubber(ScrubSettings(), self.ENVIRON)
        assert (
            scrubber.text("of 12345678, 9123456780 and 12345678.5")
            == f"of {REDACTED}, 9123456780 and 12345678.5"
        )
        assert scrubber.value({"n": 12345678, "m": 12345679}) == {"n": REDACTED, "m": 12345679}

    def test_it_can_be_turned_off(self) -> None:
        assert Scrubber(ScrubSettings(environment=False), self.ENVIRON).text(KEY) is KEY

    def test_the_environment_of_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KRAKEN_API_SECRET", KEY)
        loaded = load_settings({"otlp.headers": {"x-team": "header-value-1"}})
        scrubber = scrubber_of(loaded.settings)
        assert scrubber.text(KEY) == REDACTED
        assert scrubber.text("sent header-value-1") == f"sent {REDACTED}"
        assert scrubber_of(loaded.settings) is scrubber
        monkeypatch.setenv("KRAKEN_API_SECRET", "another-one-2")
        assert scrubber_of(loaded.settings).text("another-one-2") == REDACTED


class TestSettings:
    def test_words_and_patterns_of_the_users(self) -> None:
        scrubber = Scrubber(ScrubSettings(keys=("pin",), patterns=(r"HAL-\d+", "(?i)open sesame")), {})
        assert scrubber.text("I am HAL-9000, pin=1234, Open Sesame") == (
            f"I am {REDACTED}, pin={REDACTED}, {REDACTED}"
        )
        assert scrubber.mapping({"card_pin": 1234}) == {"card_pin": REDACTED}

    @pytest.mark.parametrize("given", [r"HAL-\d{1,3}", [r"HAL-\d{1,3}"]])
    def test_a_pattern_may_have_a_comma(self, given: Any) -> None:
        scrubber = scrubber_of(load_settings({"diagnostics.scrub.patterns": given}).settings, {})
        assert scrubber.text("I am HAL-90") == f"I am {REDACTED}"

    def test_a_pattern_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TICKTRACE_DIAGNOSTICS_SCRUB_PATTERNS", r"HAL-\d{1,3}")
        assert scrubber_of(load_settings({}).settings).text("I am HAL-90") == f"I am {REDACTED}"

    @pytest.mark.parametrize(
        ("given", "told"),
        [("(", "is no regular expression"), ([1], "must be a regular expression, or a list of them")],
    )
    def test_what_is_no_pattern(self, given: Any, told: str) -> None:
        with pytest.raises(SettingsError, match=told):
            load_settings({"diagnostics.scrub.patterns": given})

    def test_disabled_it_passes_everything(self) -> None:
        scrubber = Scrubber(ScrubSettings(enabled=False), {"API_KEY": KEY})
        value = {"api_key": KEY}
        assert scrubber.text(f"api_key={KEY}") == f"api_key={KEY}"
        assert scrubber.value(value) is value
        assert scrubber.mapping(value) == value
        assert scrubber.under("api_key", KEY) is KEY
        assert not scrubber.enabled


class TestFaults:
    @pytest.mark.parametrize("value", [5, None, ["x"], b"api_key=abc"])
    def test_what_is_no_text_is_replaced(self, value: Any) -> None:
        assert PLAIN.text(value) == REDACTED

    def test_what_cannot_be_printed_is_replaced(self) -> None:
        assert PLAIN.value(Unprintable()) == REDACTED
        assert PLAIN.value({"a": Unprintable()}) == REDACTED
        assert PLAIN.mapping({"a": Unprintable()}) == {}

    def test_a_text_that_cannot_be_searched_is_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scrubber = Scrubber(ScrubSettings(), {})

        def broken(_: str) -> str:
            raise MemoryError

        monkeypatch.setattr(scrubber, "_find", broken)
        assert scrubber.text("api_key=abc") == REDACTED
        assert "abc" not in repr(scrubber.value({"a": "api_key=abc"}))

    def test_lone_surrogates(self) -> None:
        assert "abc123" not in PLAIN.text("\ud800 api_key=abc123")

    def test_nothing_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            PLAIN.value({"api_key": "abc123", "x": Unprintable()})
        assert caplog.records == []
