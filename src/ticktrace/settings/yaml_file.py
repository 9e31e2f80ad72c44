"""Read a YAML file into plain data that knows the line of every place, with `${VAR}` replaced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from .origin import Document, Location, Problem, dotted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_yaml"]

_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\{([^}]*)\}?)")

# Stands for what could not be read; being text, it spoils no list that it is in.
_UNREADABLE = "?"


def read_yaml(file: Path, environ: Mapping[str, str]) -> tuple[Document, list[Problem]]:
    """Return the document in `file`, and what is wrong with it as YAML.

    `${VAR}` in text is replaced from `environ`, `${VAR:-default}` has a default for an unset or empty one, and
    `$$` is a dollar sign. A file that is not YAML gives an empty document and one problem.
    """
    empty = Document({}, file=file)
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = error.problem or error.context
        return empty, [Problem((2, line, 0), f"{file}:{line}: not valid YAML: {said} (column {column})")]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0]
        return empty, [Problem((2, 1, 0), f"{file}: not valid YAML in UTF-8: {said}")]
    except OSError as error:
        return empty, [Problem((2, 0, 0), f"{file}: cannot be read: {error.strerror}")]
    if root is None:
        return empty, []
    reader = _Reader(file, environ)
    data = reader.value(root, ())
    if data is None:
        data = {}
    if not isinstance(data, dict):
        reader.wrong((), root, "must be a mapping of settings at the top")
        data = {}
    return Document(data, reader.lines, reader.raw, frozenset(reader.unresolved), file), reader.problems


class _Reader:
    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self.lines: dict[Location, int] = {}
        self.raw: dict[Location, str] = {}
        self.unresolved: set[Location] = set()
        self.problems: list[Problem] = []
        self._file = file
        self._environ = environ
        self._scalars = SafeConstructor()
        self._open: set[int] = set()

    def wrong(self, location: Location, node: yaml.Node, message: str) -> None:
        line = node.start_mark.line + 1
        place = f"{dotted(location)}: " if location else ""
        self.problems.append(Problem((2, line, 0), f"{self._file}:{line}: {place}{message}"))

    def value(self, node: yaml.Node, location: Location) -> Any:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        if id(node) in self._open:
            self.wrong(location, node, "an alias must not refer to what contains it")
            self.unresolved.add(location)
            return _UNREADABLE
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*location, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, location)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.wrong(location, key_node, "a name must be text")
                continue
            # The written text, not YAML 1.1's idea of it: `on` and `no` are names here, not booleans.
            key = str(key_node.value)
            here = (*location, key)
            if key in data:
                self.wrong(here, key_node, f"given twice, first on line {self.lines[here]}")
                continue
            self.lines[here] = key_node.start_mark.line + 1
            data[key] = self.value(value_node, here)
        return data

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        try:
            value = self._scalars.construct_object(node)
        except (ConstructorError, ValueError) as error:
            said = error.problem if isinstance(error, ConstructorError) else error
            self.wrong(location, node, f"not a value: {said}")
            self.unresolved.add(location)
            return _UNREADABLE
        return self._resolve(value, node, location) if isinstance(value, str) and "$" in value else value

    def _resolve(self, text: str, node: yaml.Node, location: Location) -> str:
        def replace(match: re.Match[str]) -> str:
            dollar, name, default, other = match.groups()
            if dollar:
                return "$"
            if name is None:
                self.wrong(
                    location,
                    node,
                    f"${{{other}}} is not a variable; write ${{NAME}} or ${{NAME:-default}}, $$ for a dollar sign",
                )
            elif default is not None:
                return self._environ.get(name) or default
            elif name in self._environ:
                return self._environ[name]
            else:
                self.wrong(
                    location,
                    node,
                    f"${{{name}}} is not set in the environment; set it, or give a default: ${{{name}:-…}}",
                )
            self.unresolved.add(location)
            return match[0]

        self.raw[location] = text
        return _VARIABLE.sub(replace, text)
