"""Turn what pydantic found wrong into the words of our messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .leaves import find_group
from .values import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["describe_error"]

_WORDS = {
    "dict_type": "must be a mapping of names to values",
    "missing": "is required",
    "model_attributes_type": "must be a group of settings",
    "model_type": "must be a group of settings",
    "none_required": "must be null",
    "tuple_type": "must be a list",
}


def describe_error(error: ErrorDetails, annotation: Any) -> tuple[str, Any]:
    """Return the message for `error`, and the wrong value where the message gains from showing it.

    Args:
        error: one entry of `ValidationError.errors()`.
        annotation: the type that was checked; unknown keys are compared with its fields.
    """
    if error["type"] == "extra_forbidden":
        group = find_group(annotation)
        known = sorted(group.model_fields) if group else []
        name = str(error["loc"][-1])
        return f'unknown setting "{name}"; known: {", ".join(known)}{did_you_mean(name, known)}', None
    message = _WORDS.get(error["type"], error["msg"])
    found = error["input"]
    shows = message.startswith("must be") and isinstance(found, (str, int, float, bool, list, tuple))
    return message, found if shows else None
