"""The metrics API: what the bot has recorded and how it is, over HTTP, for who may ask."""

from ticktrace.web.api._app import API_VERSION, ApiRoute
from ticktrace.web.api._handle import ApiHandle

__all__ = ["API_VERSION", "ApiHandle", "ApiRoute"]
