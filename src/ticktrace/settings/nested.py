"""Read nested or dotted data (the arguments, the file) into entries, one a setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from .declare import split_pairs
from .leaves import TREE, Branch, Leaf
from .origin import Document, Entry, Location, Reading, dotted
from .values import did_you_mean

__all__ = ["normal_key", "read_document"]


def read_document(document: Document) -> Reading:
    """Return the entries and problems of `document`; both nested mappings and dotted keys are understood."""
    walk = _Walk(document)
    walk.branch(TREE, document.data, ())
    return walk.reading


def normal_key(leaf: Leaf, key: str) -> str:
    """Return a mapping's key as it is merged: header names in lower case, as gRPC requires."""
    return key.lower() if leaf.path[-1] == "headers" else key


class _Walk:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.reading = Reading()
        self._seen: dict[tuple[str, ...], Location] = {}

    def branch(self, branch: Branch, value: Any, location: Location) -> None:
        if value is None:
            return
        if isinstance(value, BaseModel):
            value = {
                name: getattr(value, name)
                for name in type(value).model_fields
                if name in value.model_fields_set
            }
        if not isinstance(value, Mapping):
            known = ", ".join(branch.children)
            self._wrong(location, f"must be a group of settings ({known})", value)
            return
        for key, item in value.items():
            here = (*location, key if isinstance(key, (str, int)) else str(key))
            self._step(branch, str(key).split("."), item, here)

    def _step(self, branch: Branch, names: list[str], value: Any, location: Location) -> None:
        name, *rest = names
        child = branch.children.get(name)
        if child is None:
            known = list(branch.children)
            hint = did_you_mean(name, known)
            self._wrong(location, f'unknown setting "{name}"; known: {", ".join(sorted(known))}{hint}')
        elif isinstance(child, Branch):
            if rest:
                self._step(child, rest, value, location)
            else:
                self.branch(child, value, location)
        elif child.is_mapping:
            self._mapping(child, ".".join(rest), value, location)
        elif rest:
            self._wrong(location, f'unknown setting "{".".join(rest)}": {child.name} is a single value')
        else:
            self._add(child, None, value, location)

    def _mapping(self, leaf: Leaf, key: str, value: Any, location: Location) -> None:
        if key:
            self._add(leaf, key, value, location)
            return
        if value is None:
            return
        if isinstance(value, str):
            try:
                value = split_pairs(value)
            except ValueError:
                value = None
        if not isinstance(value, Mapping):
            self._wrong(location, "must be a mapping of names to values")
            return
        for name, item in value.items():
            self._add(leaf, str(name), item, (*location, name))

    def _add(self, leaf: Leaf, key: str | None, value: Any, location: Location) -> None:
        if key is not None:
            key = normal_key(leaf, key)
        entry = Entry(leaf, key, value, self.document.origin(location), location, self.document)
        first = self._seen.setdefault(entry.target, location)
        if first != location:
            self._wrong(location, f"given twice, also as {dotted(first)}")
            return
        self.reading.entries.append(entry)

    def _wrong(self, location: Location, message: str, value: Any = None) -> None:
        if not self.document.is_unresolved(location):
            self.reading.problems.append(self.document.problem(location, message, value=value))
