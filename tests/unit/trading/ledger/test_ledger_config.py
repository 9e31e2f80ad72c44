"""Configuration that is wrong, books that survive a restart, and reports as JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from decimal import Decimal
from typing import Any

import pytest

from ticktrace.errors import LedgerStateError, SettingsError
from ticktrace.trading.ledger import Ledger, LedgerConfig
from ticktrace.trading.ledger.kept import LedgerOptions

AT = 1_700_000_000.0


def test_every_wrong_option_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        LedgerConfig(
            capital=-1,
            lots="lifo",  # type: ignore[arg-type]  # that is the point
            zone="Mars/Olympus",
            period="fortnight",
            periods_per_year=0,
            risk_free=-1,
            multipliers={"ES": 0},
            keep_trades=0,
            most_positions=1.5,  # type: ignore[arg-type]  # see above
        )
    problems = raised.value.problems
    assert len(problems) == 9
    for name in ("capital", "lots", "zone", "period", "periods_per_year", "risk_free", "multipliers.ES"):
        assert any(problem.startswith(f"performance.{name}:") for problem in problems), name
    assert 'unknown "lifo"; known: average, fifo' in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [{"capital": "much"}, {"capital": None}, {"zone": ""}, {"zone": 7}, {"period": "0m"}, {"period": "2d"}],
    ids=str,
)
def test_a_wrong_option_is_never_let_pass(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        LedgerConfig(**wrong)


def test_what_performance_takes_is_what_the_ledger_has() -> None:
    taken, had = LedgerOptions.__annotations__, LedgerConfig.__dataclass_fields__
    assert list(taken) == list(had)


def busy() -> Ledger:
    books = Ledger(LedgerConfig(capital=1_000, currency="USDT", period="1h"))
    books.rate("BNB", 612.5)
    books.plan(symbol="ETH", strategy="m", stop=9)
    for number in range(30):
        at = AT + 3_000 * number
        books.fill(
            symbol="BTC",
            side="buy" if number % 2 else "sell",
            price=Decimal(100) + number,
            quantity=Decimal("0.7") + number % 3,
            fee=Decimal("0.001"),
            fee_currency="BNB",
            at=at,
            strategy="m",
            venue="binance",
            fill_id=str(number),
        )
        books.mark("BTC", 100 + number / 7, at + 1)
    books.fill(symbol="SOL", side="buy", price=3, quantity=1, fee=1, fee_currency="XYZ", at=AT)
    return books


def test_saved_books_are_restored_to_the_last_digit() -> None:
    books = busy()
    saved = books.to_json()
    restored = Ledger.from_json(saved, books.config)
    assert restored.report(AT + 1e6) == books.report(AT + 1e6)
    assert restored.to_json() == saved
    for each in (books, restored):
        # a fill that was told before, one with the saved plan, and a mark of a position that was open
        assert each.fill(symbol="BTC", side="buy", price=1, quantity=1, fill_id="29", venue="binance") is None
        each.fill(symbol="ETH", side="buy", price=10, quantity=1, strategy="m", at=AT + 1e5)
        each.mark("BTC", 77, AT + 1e5)
    assert restored.report() == books.report()
    assert restored.report().refused["fill_told_twice"] == 1
    assert [each.risk for each in restored.report().positions if each.symbol == "ETH"] == [1]


def test_restored_books_keep_no_more_than_is_configured_now() -> None:
    restored = Ledger.from_json(
        busy().to_json(), LedgerConfig(currency="USDT", period="1h", keep_trades=2, keep_samples=3)
    )
    assert len(restored.report().trades) == 2
    assert len(restored.report().samples) == 3
    assert restored.report().flows == 1_000  # the capital is the saved one


@pytest.mark.parametrize("wrong", ["", "{}", "[1]", "null", b"\xff\xfe", '{"currency": 1}'])
def test_what_is_no_saved_books_is_said(wrong: str | bytes) -> None:
    with pytest.raises(LedgerStateError, match="cannot be read"):
        Ledger.from_json(wrong)


def test_books_that_were_kept_in_another_way_are_not_gone_on_with() -> None:
    with pytest.raises(LedgerStateError, match=r"period: '1h' in the saved books, '1d' now") as raised:
        Ledger.from_json(busy().to_json(), LedgerConfig(zone="Europe/Berlin", lots="fifo"))
    assert all(option in str(raised.value) for option in ("zone", "currency", "lots"))
    other = json.loads(busy().to_json()) | {"version": 99}
    with pytest.raises(LedgerStateError, match="version 99"):
        Ledger.from_json(json.dumps(other), busy().config)


def test_a_report_is_plain_json_and_keeps_its_digits() -> None:
    books = Ledger(LedgerConfig(capital=Decimal("1000.10"), currency="USDT"))
    books.fill(symbol="BTC", side="buy", price=0.1, quantity=0.3, at=AT, stop=0.05)
    books.fill(symbol="BTC", side="sell", price=0.2, quantity=0.3, at=AT + 5)
    report = books.report()
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["account"]["realized"] == "0.03"
    assert plain["account"]["value"] == "1000.13"
    assert plain["trades"][0]["holding_seconds"] == 5
    assert plain["trades"][0]["r_multiple"] == 2
    assert plain["account"]["trades"]["win_rate"] == 1
    assert plain["positions"] == []
    with pytest.raises(FrozenInstanceError):
        report.account.trades.won = 7  # type: ignore[misc]  # that it cannot be set is the point


def test_a_report_does_not_change_when_the_books_do() -> None:
    books = busy()
    before = books.report()
    told = before.as_dict()
    books.mark("BTC", 1, AT + 1e6)
    books.fill(symbol="BTC", side="buy", price=1, quantity=100, at=AT + 1e6, strategy="m", venue="binance")
    assert before.as_dict() == told
    assert books.report() != before


def test_too_many_names_share_a_book() -> None:
    books = Ledger()
    for number in range(300):
        books.fill(symbol=f"S{number}", side="buy", price=1, quantity=1, at=AT, strategy=f"s{number}")
    report = books.report()
    assert len(report.strategies) == 201
    assert len(report.symbols) == 101
    assert report.symbols["other"].turnover == 200
