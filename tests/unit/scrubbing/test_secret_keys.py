"""Names of secrets, and names that only look like them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings

import opentelemetry.semconv
import pytest

from ticktrace import semconv
from ticktrace.catalog import CATALOG
from ticktrace.scrubbing.keys import SecretKeys, words_of

NAMES_OF_SECRETS = """
    api_key apikey API_KEY apiKey APIKey X-MBX-APIKEY api-secret secret client_secret token access_token refreshToken
    password passwd DB_PASS smtp.pass passphrase authorization Proxy-Authorization cookie Set-Cookie signature private_key
    account account_id accountId account_number acct IBKR_ACCOUNT subAccountId ACCOUNT_ID_LIVE iban BINANCE_API_KEY_TESTNET
    OK-ACCESS-KEY OK-ACCESS-SIGN OK-ACCESS-PASSPHRASE KC-API-SIGN X-BAPI-SIGN X-BAPI-API-KEY APCA-API-KEY-ID
    APCA-API-SECRET-KEY bfx-apikey AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID listenKey http.request.header.authorization
    SLACK_WEBHOOK_URL seed_phrase mnemonic password_hash secret_value api_key_2 exchange.credentials --api-key
"""
INNOCENT = """
    key keyboard monkey key_count cache_key routing_key idempotency_key public_key KeyError account_currency
    trading.account.type account_balance account_value accounting token_bucket token_type token_value token_id max_tokens
    base_token quoteToken gasToken signature_count secret_count password_length design assign signal passed pass author
    authority session.id order_id trace_id span_id user_id TOKEN_URL basic bearing cookiecutter
"""


def otel_names() -> set[str]:
    names = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in pkgutil.walk_packages(opentelemetry.semconv.__path__, "opentelemetry.semconv."):
            module = importlib.import_module(found.name)
            for owner in (module, *(each for _, each in inspect.getmembers(module, inspect.isclass))):
                names |= {
                    value for name, value in vars(owner).items() if name.isupper() and isinstance(value, str)
                }
    return names


@pytest.mark.parametrize("name", NAMES_OF_SECRETS.split())
def test_a_secrets_name(name: str) -> None:
    assert SecretKeys()(name)


@pytest.mark.parametrize("name", INNOCENT.split())
def test_an_innocent_name(name: str) -> None:
    assert not SecretKeys()(name)


def test_no_attribute_of_ours_is_taken_for_a_secret() -> None:
    is_secret = SecretKeys()
    ours = semconv.METRIC_ATTRIBUTES | semconv.SPAN_ONLY_ATTRIBUTES | CATALOG.keys()
    words = {value for name in semconv.__all__ if isinstance(value := getattr(semconv, name), str)}
    assert len(ours) > 200
    assert [name for name in sorted(ours | words) if is_secret(name)] == []


def test_no_attribute_of_opentelemetry_is_taken_for_a_secret() -> None:
    is_secret = SecretKeys()
    names = otel_names()
    assert {"service.name", "exception.message", "cloud.account.id", "messaging.kafka.message.key"} <= names
    assert [name for name in sorted(names) if is_secret(name)] == []


def test_words_of_the_users_own() -> None:
    is_secret = SecretKeys(["pin", "seedCode"])
    assert [
        name for name in ("pin", "card_pin", "pin_2", "seed_code", "SEED-CODE") if not is_secret(name)
    ] == []
    assert [name for name in ("spin", "pinned", "pin_count", "seed", "code") if is_secret(name)] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("X-MBX-APIKEY", ("x", "mbx", "apikey")),
        ("apiKeyID2", ("api", "key", "id", "2")),
        ("APISecret", ("api", "secret")),
        ("http.request.header.x_api_key", ("http", "request", "header", "x", "api", "key")),
        ("", ()),
        ("…", ()),
    ],
)
def test_words(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


def test_what_is_remembered_is_bounded() -> None:
    is_secret = SecretKeys()
    for number in range(10_000):
        is_secret(f"name_{number}")
    assert len(is_secret._known) <= 4_096
    assert is_secret("api_key" + "x" * 100_000 + ".token")
