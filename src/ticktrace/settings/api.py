"""Settings of the metrics API: who may ask what, and how often."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from .declare import Group, group, setting
from .values import Bool, Duration, FilePath, Secret, Whole, choice, wrong

__all__ = ["SHORTEST_KEY", "ApiHealthSettings", "ApiSettings"]

Loopback = Literal["none", "read", "admin"]

SHORTEST_KEY = 16
"""Fewest characters of a key: what is shorter can be tried out."""


class ApiHealthSettings(Group):
    """From when on the bot is not well; the limits of CPU, memory and the like are in `resources`."""

    heartbeat_warning: Duration = setting(
        30.0, "Without a heartbeat of the engine for so long health is `warning`."
    )
    heartbeat_critical: Duration = setting(
        60.0, "Without a heartbeat of the engine for so long it is `critical`, and the bot not ready."
    )
    require_heartbeat: Bool = setting(
        default=False, description="Whether a bot that has had no heartbeat at all is not ready."
    )

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        if self.heartbeat_warning > self.heartbeat_critical:
            raise wrong("heartbeat_warning must not be longer than heartbeat_critical")
        return self


class ApiSettings(Group):
    """The metrics API of an instrumented FastAPI app."""

    enabled: Bool = setting(default=True, description="Whether an instrumented FastAPI app serves it.")
    loopback: Annotated[Loopback, choice(Loopback)] = setting(
        "read", "What who asks from the same host may do without a key: nothing, read, or also admin."
    )
    read_keys: dict[str, Secret] = setting(
        {}, "Keys that may read, by the name that the audit log has for who holds it; 16 characters at least."
    )
    admin_keys: dict[str, Secret] = setting({}, "Keys that may also change something, as `read_keys`.")
    keys_file: FilePath | None = setting(
        None, "File of further keys, read again when it changes: a line each of `read` or `admin`, name, key."
    )
    open_probes: Bool = setting(
        default=False, description="Whether anybody may ask `/live` and `/ready`, without being told reasons."
    )
    requests_per_minute: Whole = setting(600, "Most requests a minute of one key, and of one address.")
    failures_per_minute: Whole = setting(
        20, "Most requests a minute of one address that are turned away for their key."
    )
    health: ApiHealthSettings = group(ApiHealthSettings(), "When the bot is not well.")

    @model_validator(mode="after")
    def _keys_are_good(self) -> Self:
        both = sorted({*self.read_keys} & {*self.admin_keys})
        if both:
            raise wrong(f"{both[0]} is the name both of one of read_keys and of one of admin_keys")
        for field, keys in (("read_keys", self.read_keys), ("admin_keys", self.admin_keys)):
            for name, secret in keys.items():
                value = secret.get_secret_value()
                if (
                    len(value) < SHORTEST_KEY
                    or not value.isascii()
                    or not value.isprintable()
                    or " " in value
                ):
                    raise wrong(
                        f"{field}.{name} must be {SHORTEST_KEY} characters at least, of ASCII and without blanks"
                    )
        return self
