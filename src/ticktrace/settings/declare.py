"""How a setting is declared: once, as a pydantic field that also knows its environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import FieldInfo

__all__ = [
    "Declared",
    "Group",
    "Variable",
    "declared",
    "group",
    "inverted",
    "milliseconds",
    "otel_bool",
    "setting",
    "split_pairs",
]


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that already had a name before ticktrace, and how its text is to be read.

    Attributes:
        name: the variable; a name that starts with `_` is appended to the prefix of the group it is in.
        decode: turns the text into what the setting's rule reads.
        allowed: what to say instead of the rule's own words when the text is wrong.
    """

    name: str
    decode: Callable[[str], Any] = str
    allowed: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What a field declares beside its type: the standard variables, strongest first, and a group's prefix."""

    variables: tuple[Variable, ...] = ()
    prefix: str | None = None


def otel_bool(text: str) -> bool:
    """Read a boolean as OpenTelemetry defines it: only `true`, in any case, is true."""
    return text.strip().lower() == "true"


def inverted(text: str) -> bool:
    """Read an OpenTelemetry boolean whose meaning is the opposite of the setting's."""
    return not otel_bool(text)


def milliseconds(name: str) -> Variable:
    """The variable `name` holds a number of milliseconds, as OpenTelemetry's durations do."""
    return Variable(name, lambda text: f"{text.strip()}ms", "a number of milliseconds > 0")


def split_pairs(text: str) -> dict[str, str]:
    """Read `key=value,key=value`, percent-decoded (the W3C Baggage form that OpenTelemetry uses).

    Raises:
        ValueError: an entry without a key or without `=`.
    """
    pairs: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ValueError(part)
        pairs[unquote(key.strip())] = unquote(value.strip())
    return pairs


def setting(default: Any, description: str, *, env: str | Variable | tuple[str | Variable, ...] = ()) -> Any:
    """Declare one setting.

    Args:
        default: its value when no source gives one.
        description: one or two sentences for the reference page, the JSON schema and editors.
        env: the variables beside the derived `TICKTRACE_…` one, strongest first.
    """
    names = env if isinstance(env, tuple) else (env,)
    variables = tuple(name if isinstance(name, Variable) else Variable(name) for name in names)
    return _field(default, description, Declared(variables))


def group(default: Group, description: str, *, prefix: str | None = None) -> Any:
    """Declare a group of settings; `prefix` is what its variables' names that start with `_` are appended to."""
    return _field(default, description, Declared(prefix=prefix))


def _field(default: Any, description: str, declaration: Declared) -> Any:
    info: Any = Field(default, description=description)
    info.metadata.append(declaration)
    return info


def declared(field: FieldInfo) -> Declared:
    """Return what `field` declares beside its type."""
    return next((item for item in field.metadata if isinstance(item, Declared)), Declared())


def _frozen(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


class Group(BaseModel):
    """A frozen group of settings: unknown names are errors, equality and hash go by value."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=False
    )

    def __hash__(self) -> int:
        return hash((type(self), *(_frozen(getattr(self, name)) for name in type(self).model_fields)))
