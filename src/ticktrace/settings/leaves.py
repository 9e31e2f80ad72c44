"""The table of all settings, derived from the model: path, variables, rule, default."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter

from .declare import Group, Variable, declared
from .model import Settings
from .values import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

__all__ = ["BY_NAME", "LEAVES", "TREE", "Branch", "Leaf", "find_group"]


@dataclass(frozen=True)
class Leaf:
    """One setting.

    Attributes:
        path: names from the root, for example `("prometheus", "port")`.
        info: the pydantic field that declares it.
        variables: the standard variables with their full names, strongest first.
        is_mapping: its keys are merged one by one over the sources.
    """

    path: tuple[str, ...]
    info: FieldInfo = field(compare=False, repr=False)
    variables: tuple[Variable, ...] = field(compare=False, repr=False)
    is_mapping: bool = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """The dotted path."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The derived variable, `TICKTRACE_<GROUP>_<FIELD>`."""
        return "_".join(["TICKTRACE", *self.path]).upper()

    @property
    def default(self) -> Any:
        """The value when no source gives one."""
        return self.info.get_default(call_default_factory=True)

    @cached_property
    def annotation(self) -> Any:
        """The type of its value; of a mapping, the type of one entry's value."""
        if self.is_mapping:
            return get_args(self.info.annotation)[1]
        parts = (self.info.annotation, *self.info.metadata)
        return Annotated[parts]

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Checks one value (of a mapping: one entry's value)."""
        return TypeAdapter(self.annotation)

    @cached_property
    def rule(self) -> Rule | None:
        """What the value may be, if a rule says it."""
        return next(_rules(self.annotation), None)

    @property
    def is_secret(self) -> bool:
        """Whether the value must never be shown."""
        return self.rule is not None and self.rule.secret

    @property
    def is_optional(self) -> bool:
        """Whether null is allowed."""
        return type(None) in get_args(self.info.annotation)


@dataclass(frozen=True)
class Branch:
    """A group of settings and what it holds."""

    path: tuple[str, ...]
    group: type[Group]
    children: Mapping[str, Branch | Leaf]


def _rules(annotation: Any) -> Iterator[Rule]:
    if isinstance(annotation, Rule):
        yield annotation
    for argument in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield from _rules(argument)


def find_group(annotation: Any) -> type[Group] | None:
    """Return the group class inside `annotation` (`tuple[ViewSettings, ...]`), if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, Group):
        return annotation
    return next(filter(None, map(find_group, get_args(annotation))), None)


def _children(group: type[Group], path: tuple[str, ...], prefix: str) -> dict[str, Branch | Leaf]:
    children: dict[str, Branch | Leaf] = {}
    for name, info in group.model_fields.items():
        here = (*path, name)
        declaration = declared(info)
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, Group):
            children[name] = Branch(here, inner, _children(inner, here, declaration.prefix or ""))
            continue
        variables = tuple(
            Variable(prefix + variable.name, variable.decode, variable.allowed)
            if variable.name.startswith("_")
            else variable
            for variable in declaration.variables
        )
        children[name] = Leaf(here, info, variables, is_mapping=get_origin(inner) is dict)
    return children


def _leaves(branch: Branch) -> Iterator[Leaf]:
    for child in branch.children.values():
        if isinstance(child, Branch):
            yield from _leaves(child)
        else:
            yield child


TREE = Branch((), Settings, _children(Settings, (), ""))
LEAVES: tuple[Leaf, ...] = tuple(_leaves(TREE))
BY_NAME: Mapping[str, Leaf] = {leaf.name: leaf for leaf in LEAVES}
