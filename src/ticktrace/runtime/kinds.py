"""Objects looked at without running any code of theirs.

A heap holds everything that an application and its libraries have made: classes whose ``__class__`` is a property that
raises, whose ``__sizeof__`` is written in Python, whose metaclass defines ``__eq__``. So nothing is asked of an object that
would call back: its type is read from the object, and all else from the type by descriptors of CPython's own.
"""

from __future__ import annotations

import sys
from collections import deque
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType, MethodDescriptorType, WrapperDescriptorType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Kind", "batches", "dict_of", "kind_of", "length", "name_of", "sample"]

_MRO: Final = vars(type)["__mro__"].__get__
_DICT: Final = vars(type)["__dict__"].__get__
_QUALNAME: Final = vars(type)["__qualname__"].__get__
_MODULE: Final = vars(type)["__module__"].__get__

_LONGEST_NAME: Final = 200
_SAMPLE: Final = 500
_BATCH: Final = 1_000
_SEQUENCES: Final = (list, tuple)
_HEADER: Final = sys.getsizeof([]) - [].__sizeof__()  # what the collector needs beside a tracked object


class Kind:
    """What is known of a type, and how many objects of it were found.

    Attributes:
        type: the type; held, so that its id stays its own.
        name: with its module.
        size: gives the shallow size of an object of this type, bytes.
        container: the built-in container that it is or comes from, None for all else.
        tracked: objects that the collector tracks.
        untracked: objects that it does not, about.
        bytes: of both together, about.
    """

    __slots__ = ("bytes", "container", "name", "size", "tracked", "type", "untracked")

    def __init__(self, kind: type) -> None:
        self.type: type = kind
        self.name: str = name_of(kind)
        self.size: Callable[[Any], int] = _sizing(kind)
        self.container: type | None = next(
            (base for base in (dict, list, tuple, set, frozenset, deque) if issubclass(kind, base)), None
        )
        self.tracked: int = 0
        self.untracked: float = 0.0
        self.bytes: float = 0.0


def kind_of(kinds: dict[int, Kind], obj: object) -> Kind:
    """The entry of an object's type, by the id of the type: a metaclass may define `__hash__`."""
    kind = type(obj)
    found = kinds.get(id(kind))
    if found is None:
        found = kinds[id(kind)] = Kind(kind)
    return found


def name_of(kind: type) -> str:
    """Module and qualified name of a type; 200 characters at most."""
    found = []
    for read in (_MODULE, _QUALNAME):
        try:
            word = read(kind)
        except (AttributeError, TypeError):  # a type whose module was deleted
            word = None
        found.append(word if type(word) is str else "?")
    return ".".join(found)[:_LONGEST_NAME]


def _static(kind: type, name: str) -> Any:
    """An attribute of a type as it stands in the classes, None where none has it."""
    for base in _MRO(kind):
        found = _DICT(base)
        if name in found:
            return found[name]
    return None


def _sizing(kind: type) -> Callable[[Any], int]:
    """What gives the size of objects of a type: `sys.getsizeof`, unless that would run Python code."""
    if type(_static(kind, "__sizeof__")) in (MethodDescriptorType, WrapperDescriptorType):
        return sys.getsizeof
    return _basic_size


def _basic_size(obj: object) -> int:
    return object.__sizeof__(obj) + _HEADER


def dict_of(obj: object) -> dict[Any, Any] | None:
    """The namespace of an object, read without running code of its class; None where it has none."""
    found = _static(type(obj), "__dict__")
    if type(found) not in (GetSetDescriptorType, MemberDescriptorType):  # a module's is of the second kind
        return None
    try:
        namespace = found.__get__(obj)
    except (AttributeError, TypeError):
        return None
    return namespace if type(namespace) is dict else None


def sample(container: type, obj: Any) -> tuple[list[Any], float] | None:
    """Some of the members of a large container, and how many each of them stands for; None where it is not large.

    All of it in calls that run no Python code, so that nobody can change the container meanwhile.
    """
    number = length(container, obj)
    if number <= _SAMPLE:
        return None
    if container is dict:
        members = list(islice(dict.values(obj), _SAMPLE // 2)) + list(islice(dict.keys(obj), _SAMPLE // 2))
        return members, 2 * number / len(members)
    members = (
        _slice(container, obj, slice(None, None, -(-number // _SAMPLE)))
        if container in _SEQUENCES
        else list(islice(_iterate(container, obj), _SAMPLE))
    )
    return members, number / max(1, len(members))


def batches(container: type | None, obj: Any, referents: Callable[[Any], list[Any]]) -> Iterator[list[Any]]:
    """Everything that an object refers to, a thousand at a time; of a container that changes meanwhile, what was seen.

    Args:
        container: what `Kind` says.
        obj: the object.
        referents: `gc.get_referents`.
    """
    if container is None or length(container, obj) <= _BATCH:
        yield referents(obj)
    elif container in _SEQUENCES:
        at = 0
        while piece := _slice(container, obj, slice(at, at + _BATCH)):
            yield piece
            at += _BATCH
    elif container is dict:
        yield from _pieces(iter(dict.values(obj)))
        yield from _pieces(iter(dict.keys(obj)))
    else:
        yield from _pieces(_iterate(container, obj))


def length(container: Any, obj: Any) -> int:
    """How many members a container has, as the built-in type that it comes from counts them."""
    number: int = container.__len__(obj)
    return number


def _slice(container: Any, obj: Any, which: slice) -> list[Any]:
    return list(container.__getitem__(obj, which))


def _iterate(container: Any, obj: Any) -> Iterator[Any]:
    iterator: Iterator[Any] = container.__iter__(obj)
    return iterator


def _pieces(iterator: Iterator[Any]) -> Iterator[list[Any]]:
    try:
        while piece := list(islice(iterator, _BATCH)):
            yield piece
    except RuntimeError:  # it has changed its size
        return
