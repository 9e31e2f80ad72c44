from __future__ import annotations

import threading
from typing import Any

from ticktrace.notify import Alert, Message, Notifier
from ticktrace.settings import NotificationsSettings


class Told:
    """A notifier with a clock that the test moves, and what it has handed on."""

    def __init__(self, **settings: Any) -> None:
        self.now = 0.0
        self.room = True
        self.messages: list[Message] = []
        self.notifier = Notifier(NotificationsSettings(**settings), "bot", now=lambda: self.now)
        self.notifier.attach(self.take)

    def take(self, message: Message) -> bool:
        if self.room:
            self.messages.append(message)
        return self.room

    def update(self, *keys: str, after: float = 0.0, condition: str = "slo_violated") -> list[str]:
        self.now += after
        before = len(self.messages)
        self.notifier.update([Alert(key, condition, f"Trouble {key}", "words") for key in keys])
        return [message.title for message in self.messages[before:]]


def test_a_trouble_is_told_once_and_once_that_it_is_over() -> None:
    told = Told()
    assert told.update("a") == ["[bot] Trouble a"]
    assert told.update("a", after=1_000) == []
    assert [alert.key for alert in told.notifier.open] == ["a"]
    assert told.update(after=5) == ["[bot] Over: Trouble a"]
    assert told.update(after=5) == []
    assert [message.kind for message in told.messages] == ["warning", "success"]
    assert told.messages[1].text == "It lasted 1005 s. It was: words"


def test_what_comes_back_soon_waits_until_it_has_been_quiet() -> None:
    told = Told(quiet=300)
    told.update("a")
    told.update(after=10)
    assert told.update("a", after=10) == []
    assert told.notifier.held == 1
    assert told.update(after=10) == []
    assert told.update("a", after=269) == []
    assert told.update("a", after=1) == ["[bot] Trouble a"]


def test_so_many_a_minute_and_the_others_later() -> None:
    told = Told(per_minute=2)
    assert len(told.update("a", "b", "c")) == 2
    assert told.update("a", "b", "c", after=59) == []
    assert told.update("a", "b", "c", after=1) == ["[bot] Trouble c"]
    assert len(told.update(after=1)) == 3


def test_a_full_queue_loses_neither_a_trouble_nor_its_end() -> None:
    told = Told()
    told.room = False
    assert told.update("a") == []
    told.room = True
    assert told.update("a") == ["[bot] Trouble a"]
    told.room = False
    assert told.update() == []
    told.room = True
    assert told.update() == ["[bot] Over: Trouble a"]


def test_only_what_is_chosen_is_told() -> None:
    told = Told(on=["engine_error"])
    assert told.update("a") == []
    assert told.update("a", condition="engine_error") == ["[bot] Trouble a"]


def test_an_application_raises_its_own() -> None:
    told = Told()
    told.notifier.alarm("resource_limit", "Memory is short", "2 % left", key="memory", critical=True)
    assert told.update("a") == ["[bot] Trouble a", "[bot] Memory is short"]
    assert told.messages[1] == Message("[bot] Memory is short", "2 % left", "failure")
    assert told.update("a", after=1) == []
    told.notifier.over("resource_limit", key="memory")
    assert told.update("a", after=1) == ["[bot] Over: Memory is short"]


def test_its_memory_is_bounded() -> None:
    told = Told(per_minute=10_000_000)
    for number in range(2_000):
        told.notifier.alarm("resource_limit", "x", key=str(number))
        told.update(str(number), after=1_000)
    assert len(told.notifier._own) == 1_000
    assert len(told.notifier._last) <= 1_002
    assert len(told.notifier._told) == 1_001


def test_without_anywhere_to_send_it_does_nothing() -> None:
    notifier = Notifier(NotificationsSettings())
    assert not notifier.enabled
    notifier.alarm("resource_limit", "x")
    notifier.update([Alert("a", "slo_violated", "x", "y")])
    assert notifier.open == ()


def test_threads_at_once_tell_once() -> None:
    told = Told()
    alerts = [Alert(f"{n}", "slo_violated", f"{n}", "") for n in range(5)]
    threads = [threading.Thread(target=lambda: told.notifier.update(alerts)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(message.title for message in told.messages) == [f"[bot] {n}" for n in range(5)]
