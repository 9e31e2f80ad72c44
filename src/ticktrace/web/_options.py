"""What a caller can choose when instrumenting an application, checked at once and in full."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ticktrace.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULT_EXCLUDED_URLS", "Options"]

DEFAULT_EXCLUDED_URLS: tuple[str, ...] = (
    r"/health",
    r"/health/.*",
    r"/healthz",
    r"/livez",
    r"/readyz",
    r"/metrics",
)
"""Paths that are not observed unless the caller says otherwise: probes and scrapes would drown the rest."""


@dataclass(frozen=True)
class Options:
    """The checked arguments of `instrument_fastapi`; equal options mean that there is nothing to change."""

    excluded_urls: tuple[str, ...]
    metrics_path: str | None
    health_path: str | None
    shutdown: bool
    api_path: str | None = None
    _patterns: tuple[re.Pattern[str], ...] = field(default=(), compare=False, repr=False)

    def excludes(self, path: str) -> bool:
        """Whether requests to this path (without the proxy's prefix) are not observed."""
        path = path.rstrip("/") or "/"
        if path in (self.metrics_path, self.health_path):
            return True
        api = self.api_path
        if api is not None and (path == api or path.startswith(f"{api}/")):
            return True
        return any(pattern.fullmatch(path) for pattern in self._patterns)


def checked_options(
    excluded_urls: Iterable[str],
    metrics_path: str | None,
    health_path: str | None,
    *,
    shutdown: bool,
    api_path: str | None = None,
) -> Options:
    """Check the arguments of `instrument_fastapi`.

    Raises:
        SettingsError: with every problem found.
    """
    problems: list[str] = []
    patterns: list[re.Pattern[str]] = []
    if isinstance(excluded_urls, str):
        problems.append(
            f"instrument_fastapi(excluded_urls): {excluded_urls!r} is one string; "
            f"give a sequence of path patterns such as ({excluded_urls!r},)"
        )
        excluded_urls = ()
    excluded = tuple(excluded_urls)
    for index, pattern in enumerate(excluded):
        try:
            patterns.append(re.compile(pattern))
        except re.error as error:
            problems.append(
                f"instrument_fastapi(excluded_urls[{index}]): {pattern!r} is not a regular expression: {error}"
            )
    paths = (("metrics_path", metrics_path), ("health_path", health_path), ("api_path", api_path))
    for name, path in paths:
        if path is not None and (not path.startswith("/") or path == "/" or path.endswith("/")):
            problems.append(
                f"instrument_fastapi({name}): {path!r} is not a path; "
                'allowed: None, or a path such as "/metrics" that starts with "/" and does not end with it'
            )
    if metrics_path is not None and metrics_path == health_path:
        problems.append(
            f"instrument_fastapi(health_path): {health_path!r} is the metrics page's path already"
        )
    if api_path is not None and api_path == health_path:
        problems.append(f"instrument_fastapi(api_path): {api_path!r} is the probe's path already")
    if problems:
        raise SettingsError(problems)
    return Options(excluded, metrics_path, health_path, shutdown, api_path, tuple(patterns))
