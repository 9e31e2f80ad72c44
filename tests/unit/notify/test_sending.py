"""Messages, through apprise, to a real HTTP server."""

from __future__ import annotations

import builtins
import importlib.util
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from support.http_sink import HttpSink
from ticktrace import setup_telemetry
from ticktrace.errors import MissingExtraError, SettingsError
from ticktrace.notify import DeadMan, Message, Sender, open_channels
from ticktrace.settings import NotificationsSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

MESSAGE = Message("title", "text", "warning")
SECRET = "hunter2-hunter2"  # noqa: S105  planted


def sender(*sinks: HttpSink, **options: Any) -> Sender:
    urls = [SecretStr(f"json://user:{SECRET}@127.0.0.1:{sink.port}/hook/{SECRET}") for sink in sinks]
    return Sender(open_channels(urls, 5.0), **{"pause": 0.001, **options})


def test_every_channel_gets_every_message_in_order() -> None:
    counted: list[tuple[str, bool]] = []
    with HttpSink() as one, HttpSink() as other:
        made = sender(one, other, on_sent=lambda name, sent: counted.append((name, sent)))
        for number in range(3):
            assert made.offer(Message(f"m{number}", "text", "failure"))
        assert made.idle(20)
        assert made.stop(5)
    for sink in (one, other):
        assert [body["title"] for body in sink.bodies] == ["m0", "m1", "m2"]
        assert {body["type"] for body in sink.bodies} == {"failure"}
    assert counted == [("json-1", True), ("json-2", True)] * 3


def test_who_does_not_take_it_is_asked_again_and_nobody_else() -> None:
    with HttpSink(500, 503) as failing, HttpSink() as sound:
        made = sender(failing, sound)
        made.offer(MESSAGE)
        assert made.idle(20)
        made.stop(5)
    assert (len(failing.requests), len(sound.requests)) == (3, 1)


def test_who_never_takes_it_is_given_up_and_counted_and_no_secret_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    counted: list[tuple[str, bool]] = []
    with HttpSink(*[500] * 10) as sink:
        made = sender(sink, attempts=3, on_sent=lambda name, sent: counted.append((name, sent)))
        made.offer(MESSAGE)
        assert made.idle(20)
        made.stop(5)
    assert len(sink.requests) == 3
    assert counted == [("json-1", False)]
    assert "json-1 did not take the notification 'title'" in caplog.text
    assert SECRET not in caplog.text


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = Sender(
        open_channels([SecretStr(f"json://u:{SECRET}@127.0.0.1:9/x")], 1.0), attempts=2, pause=0.001
    )
    made.offer(MESSAGE)
    assert made.idle(20)
    assert made.stop(5)
    assert SECRET not in caplog.text


def test_the_queue_is_bounded_and_offering_never_waits() -> None:
    hold = threading.Event()
    with HttpSink(hold=hold) as sink:
        made = sender(sink, room=2)
        assert made.offer(MESSAGE)
        sink.wait_for(lambda: bool(sink.requests))
        assert [made.offer(MESSAGE) for _ in range(3)] == [True, True, False]
        hold.set()
        assert made.idle(20)
        assert made.stop(5)
    assert len(sink.requests) == 3


def test_ending_sends_what_waits_without_pausing() -> None:
    with HttpSink(500, 500) as sink:
        made = sender(sink, pause=3_600)
        made.offer(MESSAGE)
        sink.wait_for(lambda: bool(sink.requests))
        assert made.stop(20)
        assert not made.offer(MESSAGE)
    assert len(sink.requests) == 3


def test_ending_has_a_deadline(caplog: pytest.LogCaptureFixture) -> None:
    hold = threading.Event()
    with HttpSink(hold=hold) as sink:
        made = sender(sink)
        made.offer(MESSAGE)
        made.offer(MESSAGE)
        sink.wait_for(lambda: bool(sink.requests))
        began = time.monotonic()
        assert not made.stop(0.2)
        assert time.monotonic() - began < 5
        assert "2 notifications were not sent" in caplog.text


@pytest.mark.parametrize(
    "url", [f"nonsense://{SECRET}", f"tgram://{SECRET}", f"https://hooks.example.com/{SECRET}"]
)
def test_a_url_that_apprise_does_not_know_is_an_error_without_the_url(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SettingsError) as caught:
        setup_telemetry("bot", notifications={"urls": ["json://127.0.0.1", url]})
    assert (
        f"notifications.urls[1]: apprise can do nothing with this URL ({url.partition(':')[0]}://***)"
        in str(caught.value)
    )
    assert SECRET not in f"{caught.value!r}{caplog.text}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack-1"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544", "tgram-1"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "discord-1"),
        ("mailtos://user:pass@example.com?smtp=mail.example.com", "mailtos-1"),
        ("json://127.0.0.1", "json-1"),
    ],
)
def test_services(url: str, name: str) -> None:
    (channel,) = open_channels([SecretStr(url)], 1.0)
    assert channel.name == name


def test_urls_are_secrets_and_several_may_stand_in_a_variable() -> None:
    loaded = load_settings(
        environ={"TICKTRACE_NOTIFICATIONS_URLS": f"json://u:{SECRET}@a/?to=x,y, tgram://b/c"}
    )
    urls = loaded.settings.notifications.urls
    assert [url.get_secret_value() for url in urls] == [f"json://u:{SECRET}@a/?to=x,y", "tgram://b/c"]
    assert SECRET not in repr(loaded)


def test_without_apprise_it_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "apprise" else find(name, *more)
    )
    imported = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        assert name != "apprise"
        return imported(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'ticktrace\[notify\]'"):
        setup_telemetry("bot", notifications={"urls": ["json://127.0.0.1"]})
    with setup_telemetry("bot", notifications={"urls": ["json://127.0.0.1"], "enabled": False}):
        pass
    with setup_telemetry("bot", notifications={"dead_man": {"url": "http://127.0.0.1:9/"}}):
        pass


def test_the_dead_mans_switch_asks_while_the_bot_is_alive() -> None:
    alive = True
    answers: list[bool] = []
    with HttpSink(200, 500) as sink:
        switch = DeadMan(
            SecretStr(f"http://127.0.0.1:{sink.port}/ping/{SECRET}"),
            interval=0.01,
            timeout=5,
            alive=lambda: alive,
            on_asked=answers.append,
        )
        sink.wait_for(lambda: len(answers) >= 3)
        alive = False
        assert switch.stop(10)
        asked = len(sink.requests)
    assert answers[:3] == [True, False, True]
    assert {request.path for request in sink.requests} == {f"/ping/{SECRET}"}
    assert asked == len(answers)


def test_the_dead_mans_switch_hides_its_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers: list[bool] = []
    switch = DeadMan(
        SecretStr(f"http://127.0.0.1:9/{SECRET}"),
        interval=0.01,
        timeout=1,
        alive=lambda: True,
        on_asked=answers.append,
    )
    deadline = time.monotonic() + 20
    while len(answers) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    switch.stop(10)
    assert caplog.text.count("does not answer") == 1
    assert SECRET not in caplog.text


def test_it_stops_when_the_engines_heartbeat_stops(start: Callable[..., Telemetry]) -> None:
    with HttpSink() as sink:
        telemetry = start(
            notifications={
                "dead_man": {"url": f"http://127.0.0.1:{sink.port}/", "interval": 3_600, "stale_after": 60}
            }
        )
        watch = telemetry._watch
        assert not watch._is_alive()  # there was no heartbeat yet
        beat = telemetry.gauge("trading.engine.heartbeat.timestamp")
        beat.set(time.time())
        assert watch._is_alive()
        beat.set(time.time() - 61)
        assert not watch._is_alive()


def test_defaults_tell_nobody() -> None:
    settings = NotificationsSettings()
    assert settings.urls == ()
    assert settings.dead_man.url is None
