"""Settings of notifications: whom to tell, and of what."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import SecretStr, model_validator

from .declare import Group, group, setting
from .values import Bool, Duration, Names, Rule, Secret, Whole, choices, wrong

__all__ = ["Condition", "DeadManSettings", "NotificationsSettings"]

Condition = Literal[
    "slo_violated",
    "engine_error",
    "engine_silent",
    "drain_dead",
    "queue_backlog",
    "telemetry_lost",
    "gc_pause",
    "critical_error",
    "resource_limit",
]

# A URL may hold commas and blanks of its own: only before the next scheme do they separate.
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


def _urls(value: Any) -> tuple[SecretStr, ...]:
    items = _BETWEEN.split(value.strip()) if isinstance(value, str) else value
    if isinstance(items, SecretStr):
        items = (items,)
    if not isinstance(items, (list, tuple)):
        raise TypeError
    found = []
    for item in items:
        text = item.get_secret_value() if isinstance(item, SecretStr) else item
        if not isinstance(text, str) or "://" not in text:
            raise ValueError
        found.append(SecretStr(text.strip()))
    return tuple(dict.fromkeys(found))


_URLS = Annotated[
    tuple[SecretStr, ...],
    Rule(
        "a list of URLs, as apprise has them",
        _urls,
        {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
        secret=True,
    ),
]


class DeadManSettings(Group):
    """A URL that is asked while the bot is alive, so that somebody else notices when it is not."""

    url: Secret | None = setting(
        None, "What to ask, `http://` or `https://`; healthchecks.io has such. When null: nothing is asked."
    )
    interval: Duration = setting(30.0, "How often.")
    stale_after: Duration = setting(
        60.0, "Without a heartbeat of the engine for so long nothing is asked any more."
    )

    @model_validator(mode="after")
    def _is_http(self) -> Self:
        if self.url is not None and not self.url.get_secret_value().lower().startswith(
            ("http://", "https://")
        ):
            raise wrong("url must start with http:// or https://")
        return self


class NotificationsSettings(Group):
    """Messages to people, through apprise (`pip install 'ticktrace[notify]'`)."""

    enabled: Bool = setting(default=True, description="Whether anybody is told anything.")
    urls: _URLS = setting(
        (), "Whom: URLs of apprise, such as `https://hooks.slack.com/services/…`, `tgram://…`, `json://host`."
    )
    on: Annotated[tuple[str, ...], choices(Condition)] = setting(
        (
            "slo_violated",
            "engine_error",
            "engine_silent",
            "drain_dead",
            "telemetry_lost",
            "critical_error",
            "resource_limit",
        ),
        "Of what.",
    )
    error_states: Names = setting(
        ("error", "emergency"), "States of the engine (`trading.engine.state`) that are `engine_error`."
    )
    engine_silent_after: Duration = setting(
        60.0, "Without a heartbeat of the engine for so long it is `engine_silent`."
    )
    quiet: Duration = setting(300.0, "The same trouble is told no sooner than this after the time before.")
    per_minute: Whole = setting(10, "Most messages of new troubles a minute; others wait.")
    queue_size: Whole = setting(100, "Most messages that wait to be sent; others wait where they come from.")
    attempts: Whole = setting(5, "How often a message is offered to who does not take it.")
    timeout: Duration = setting(10.0, "How long one attempt may take.")
    dead_man: DeadManSettings = group(DeadManSettings(), "The dead-man's switch.")
