"""Secrets in text: every way in which they are written, what must survive, and hostile text."""

from __future__ import annotations

import random
import re
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticktrace.scrubbing import REDACTED, Scrubber
from ticktrace.scrubbing.text import CUT, LONGEST
from ticktrace.settings import ScrubSettings

SCRUBBER = Scrubber(ScrubSettings(), {})

# (text, what must be gone)
WITH_SECRETS = [
    ("api_key=abc123", "abc123"),
    ("apiKey: 'abc123'", "abc123"),
    ("api key: abc123", "abc123"),
    ('{"api_key": "abc123", "n": 5}', "abc123"),
    ("{'X-MBX-APIKEY': 'abc123'}", "abc123"),
    ("{b'api-key': b'abc123'}", "abc123"),
    ('{\\"api_key\\": \\"abc123\\"}', "abc123"),
    ("[('X-MBX-APIKEY', 'abc123')]", "abc123"),
    ("(b'api-key', b'abc123')", "abc123"),
    ("Client(api_key='abc123', secret=\"abc123\")", "abc123"),
    ("GET /v3/order?symbol=BTCUSDT&apiKey=abc123&signature=abc123&timestamp=1", "abc123"),
    ("wss://stream/ws?listenKey=abc123", "abc123"),
    ("Authorization: Bearer abc123", "abc123"),
    ("authorization: Basic dXNlcjphYmMxMjM=", "dXNlcjphYmMxMjM"),
    ('authorization: Digest username="me", response="abc123"', "abc123"),
    ("headers={'Authorization': 'Bearer abc123'}", "abc123"),
    ("AWS4-HMAC-SHA256 Credential=abc123/2024, SignedHeaders=host, Signature=abc123", "abc123"),
    ("Cookie: sid=abc123; x=abc123", "abc123"),
    ("got Bearer abc123def here", "abc123"),
    ("Basic dXNlcjphYmMxMjM=", "dXNlcjphYmMxMjM"),
    ("postgres://user:abc123@db:5432/x", "abc123"),
    ("postgres://user:p@abc123@db:5432/x", "abc123"),
    ("redis://:abc123@db", "abc123"),
    ("https://ghp_abc123abc123abc123abc@github.com/x", "abc123"),
    ("-----BEGIN RSA PRIVATE KEY-----\nabc123\n-----END RSA PRIVATE KEY-----", "abc123"),
    ("-----BEGIN PRIVATE KEY-----\nabc123", "abc123"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMxMjMifQ.abc123", "eyJ"),
    ("sk-abc123abc123abc123", "abc123"),
    ("pk_live_abc123abc123", "abc123"),
    ("AKIAABC123ABC1234567", "ABC123"),
    ("xoxb-abc123-abc123", "abc123"),
    ("https://hooks.slack.com/services/T000/B000/abc123", "abc123"),
    ("https://discord.com/api/webhooks/12345/abc123-abc", "abc123"),
    ("https://api.telegram.org/bot123456789:AAabc123abc123abc123abc123abc123abc/sendMessage", "abc123"),
    ("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "vmPU"),
    ("the API key abc123abc123 is invalid", "abc123"),
    ("secret 0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    ("token: 0123456789ABCDEF0123456789abcdef==", "0123456789"),
    ("password is hunter22 ok", "hunter22"),
    ('password="two words abc123" next', "abc123"),
    ('password="a \\" abc123" next', "abc123"),
    ('api_key="abc123', "abc123"),
    ("passphrase: correct horse abc123", "abc123"),
    ("mnemonic: abandon ability abc123 able", "abc123"),
    ("tokens: [1], access_token: [abc123]", "abc123"),
    ("--api-key abc123 --fast", "abc123"),
    ("--api-key=abc123", "abc123"),
    ("account U1234567 has no permission", "1234567"),
    ("DU1234567 is no account of yours", "1234567"),
    ("account id 12345678 not found", "12345678"),
    ("account: 550e8400-e29b-41d4-a716-446655440000", "550e8400"),
    ("account_id=U1234567", "1234567"),
    ('{"account": {"account_id": "7654321"}}', "7654321"),
]
CLEAN = [
    "",
    "BTC/USDT",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00f067aa0ba902b7",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "550e8400-e29b-41d4-a716-446655440000",
    "order_id: 550e8400-e29b-41d4-a716-446655440000",
    "client order id U1234567",
    "x-7f3a9b2c1d",
    "2026-11-01T12:00:00.123Z",
    "12:30:45",
    "42000.5",
    "n=12345678901",
    "0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "filter:atr_range",
    "signal:momentum:volume_threshold",
    "signal momentum: confidence 0.8",
    "KeyError: 'close'",
    "key=BTC/USDT",
    "cache key 4bf92f3577b34da6a3ce929d0e0e4736",
    "account balance 100000.50 USDT",
    "account_currency=USD",
    "Insufficient margin on account",
    "token bucket is empty",
    "Unexpected token: foo",
    "invalid signature: expected",
    "base_token=USDC",
    "basic momentum strategy",
    "Basic authentication failed",
    "bearer token expired",
    "api_key=None",
    "password=''",
    "sk-learn",
    "task-0123456789abcdef",
    "risk_live_trading_loss",
    "pk_orders_created_at_index",
    "Asia/Tokyo",
    "https://api.binance.com/api/v3/order?symbol=BTCUSDT&timestamp=1700000000000",
    "git@github.com:x/y",
    "ssh://git@github.com/x",
    "someone@example.com",
    "passing 3 of 5",
]


@pytest.mark.parametrize(("text", "secret"), WITH_SECRETS)
def test_a_secret_is_replaced(text: str, secret: str) -> None:
    scrubbed = SCRUBBER.text(text)
    assert secret not in scrubbed
    assert REDACTED in scrubbed


@pytest.mark.parametrize(("text", "secret"), WITH_SECRETS)
def test_it_is_replaced_in_the_midst_of_others(text: str, secret: str) -> None:
    scrubbed = SCRUBBER.text(f"before 42 (price=1.5)\n{text}\nafter 43, id=7")
    assert secret not in scrubbed
    assert scrubbed.startswith("before 42 (price=1.5)\n")


@pytest.mark.parametrize(("text", "secret"), WITH_SECRETS)
def test_what_is_scrubbed_stays_as_it_is(text: str, secret: str) -> None:
    once = SCRUBBER.text(text)
    twice = SCRUBBER.text(once)
    assert secret not in twice
    assert SCRUBBER.text(twice) == twice


@pytest.mark.parametrize("text", CLEAN)
def test_what_is_no_secret_is_the_same_object(text: str) -> None:
    assert SCRUBBER.text(text) is text
    assert SCRUBBER.text(text) is text  # from memory


def test_only_the_secret_goes() -> None:
    url = "https://api.x.com/v3/order?symbol=BTCUSDT&apiKey=abc&signature=def&timestamp=1700000000000"
    assert SCRUBBER.text(url) == (
        f"https://api.x.com/v3/order?symbol=BTCUSDT&apiKey={REDACTED}&signature={REDACTED}&timestamp=1700000000000"
    )
    assert SCRUBBER.text('{"apiKey": "abc", "price": 42}') == f'{{"apiKey": "{REDACTED}", "price": 42}}'
    assert SCRUBBER.text("account U1234567 has 3 orders") == f"account {REDACTED} has 3 orders"


def test_a_stack_trace_loses_its_secret_and_nothing_else() -> None:
    stack = (
        "Traceback (most recent call last):\n"
        '  File "bot.py", line 12, in connect\n'
        '    client = Client(url, api_key="abc123")\n'
        "ValueError: key 'close' of account\n\n"
        "The above exception was the direct cause of the following exception:\n"
    )
    assert SCRUBBER.text(stack) == stack.replace("abc123", REDACTED)


@given(st.text(max_size=200))
def test_any_text_is_scrubbed_and_then_stays(text: str) -> None:
    once = SCRUBBER.text(text)
    assert SCRUBBER.text(SCRUBBER.text(once)) == SCRUBBER.text(once)


@given(
    st.sampled_from(["api_key", "X-MBX-APIKEY", "secret", "access_token", "db.password"]),
    st.sampled_from(["=", ": ", "='", '": "', "=>", " = "]),
    st.text(string.ascii_letters + string.digits, min_size=9, max_size=40),
    st.text(" ,;()[]\n.abc=:&?", max_size=20),
)
def test_whatever_stands_behind_a_secrets_name_goes(name: str, sign: str, secret: str, around: str) -> None:
    assert secret not in SCRUBBER.text(f"{around} {name}{sign}{secret}")


HOSTILE = [
    "key=", "eyJ-", "eyJ", "a", "aA1", "a='a=\"", "secret='", "secret=[", "key\\", "://a", "://a:", "://a:b@", "bearer ",
    "basic QUJD", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY----- key", "account 1234", "key 123456:", "sk--",
    "key.a-b_", "--key ", "--pin", "key    ", "cookie: a=b; ", "authorization: a, b=c, ", "sign ", "account 550e8400-e29b-",
    "api key a", "api_key_", "token\"'", "key]", "AKIA", "xoxb-", "İ key=",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_with_the_text_and_not_faster(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes the square of the time would take 256 times as long for 16 times the text: minutes."""
    monkeypatch.setattr("ticktrace.scrubbing.text.LONGEST", 10**9)
    scrubber = Scrubber(ScrubSettings(), {})

    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        started = time.process_time()
        scrubber.text(text)
        return time.process_time() - started

    seconds(4_000)  # warm
    assert seconds(256_000) < max(1.0, 80 * seconds(16_000))


def test_a_megabyte_of_hints_is_cut() -> None:
    text = "api_key=abc123 " * 70_000
    scrubbed = SCRUBBER.text(text)
    assert "abc123" not in scrubbed
    assert scrubbed.endswith(CUT)
    assert len(scrubbed) < 2 * LONGEST


def test_a_megabyte_without_a_hint_is_passed_on() -> None:
    text = "BTC/USDT at 42000.5; " * 50_000
    assert SCRUBBER.text(text) is text


def test_random_ids_survive() -> None:
    """Order, trace and span ids of many shapes, alone and after the words that usually stand before them."""
    dice = random.Random(7)  # noqa: S311  ids for a test
    for _ in range(300):
        ids = {
            f"{dice.getrandbits(128):032x}",
            f"{dice.getrandbits(64):016x}",
            str(dice.getrandbits(50)),
            "".join(dice.choices(string.ascii_letters + string.digits, k=22)),
            f"{dice.random() * 1e5:.8f}",
        }
        for each in ids:
            for text in (each, f"order {each} filled", f"id={each}", f'{{"orderId": "{each}"}}'):
                assert SCRUBBER.text(text) == text, re.escape(text)
