"""What keeps objects of one type alive: chains of references, from the object up to a module, a frame or a class.

`gc.get_referrers` looks through the whole heap in one call, which stops all threads for tens of milliseconds. So each step
up is a walk over the list of objects here, in slices: the parents of what the last step found.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from ticktrace.runtime.kinds import Kind, batches, dict_of, kind_of, length, name_of
from ticktrace.runtime.memory_model import Chain, Referrers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ticktrace.runtime.pace import Pace

__all__ = ["Node", "chains_of", "instances_of", "referrers_of"]

_INSTANCES: Final = 5
_DEPTH: Final = 6
_PARENTS: Final = 3  # of each object
_WIDTH: Final = 40  # objects of one step, about
_PIECE: Final = 16
_FEW: Final = 100
_SCANNED: Final = 2_000
_LONGEST_WORD: Final = 60
_LONGEST_NAME: Final = 200
_MOST_CHAINS: Final = 20


class Node:
    """An object on the way up.

    Attributes:
        obj: the object.
        below: what it refers to, None at the bottom.
        parents: how many were found.
    """

    __slots__ = ("below", "obj", "parents")

    def __init__(self, obj: Any, below: Node | None) -> None:
        self.obj: Any = obj
        self.below: Node | None = below
        self.parents: int = 0


def referrers_of(objects: list[Any], name: str, pace: Pace, scrub: Callable[[str], str]) -> Referrers:
    """What keeps the objects of a type alive.

    Args:
        objects: from `gc.get_objects`.
        name: of the type, with its module or without.
        pace: when to rest, and when to end.
        scrub: takes secrets out of names.
    """
    targets, number = instances_of(objects, name, pace)
    chains = chains_of(objects, targets, pace, scrub)
    return Referrers(
        type=name[:_LONGEST_NAME],
        instances=number,
        looked_at=len(targets),
        chains=[Chain(path, count) for path, count in chains[:_MOST_CHAINS]],
        complete=not pace.ended,
    )


def instances_of(objects: list[Any], name: str, pace: Pace) -> tuple[list[Any], int]:
    """Some objects of a type, spread over all of its age groups, and how many there are.

    Args:
        objects: from `gc.get_objects`.
        name: of the type, with its module or without.
        pace: when to rest, and when to end.
    """
    wanted: dict[int, bool] = {}
    kinds: list[type] = []  # held, so that ids stay their own
    found: list[int] = []
    for at in range(len(objects)):
        kind = type(objects[at])
        is_wanted = wanted.get(id(kind))
        if is_wanted is None:
            full = name_of(kind)
            is_wanted = wanted[id(kind)] = full == name or full.endswith("." + name)
            kinds.append(kind)
        if is_wanted:
            found.append(at)
        if not pace.turn():
            break
    step = max(1, len(found) // _INSTANCES)
    return [objects[at] for at in found[::step][:_INSTANCES]], len(found)


def chains_of(
    objects: list[Any], targets: Iterable[Any], pace: Pace, scrub: Callable[[str], str]
) -> list[tuple[list[str], int]]:
    """The chains that end at the targets, alike ones together, the most frequent first.

    Args:
        objects: from `gc.get_objects`.
        targets: where to begin.
        pace: when to rest, and when to end.
        scrub: takes secrets out of names.

    Returns:
        Each chain from its top to the target, in words, and how often it was found. A chain whose top is no module, frame
        or class was cut: six steps, three parents of an object and forty objects of a step are looked at.
    """
    kinds: dict[int, Kind] = {}
    level = {id(target): Node(target, None) for target in targets}
    seen = set(level)
    done: list[Node] = []
    for _ in range(_DEPTH):
        if not level or pace.ended:
            break
        above = _parents(objects, level, seen, kinds, pace)
        done += [node for node in level.values() if node.parents == 0]
        done += [node for node in above if _is_root(node.obj)]
        level = {id(node.obj): node for node in above if not _is_root(node.obj)}
        seen |= {id(node.obj) for node in above}
    done += level.values()
    counted = Counter(tuple(_words(node, scrub)) for node in done if node.below is not None)
    return [(list(chain), number) for chain, number in counted.most_common()]


def _parents(
    objects: list[Any], level: dict[int, Node], seen: set[int], kinds: dict[int, Kind], pace: Pace
) -> list[Node]:
    wanted = set(level)
    found: list[Node] = []
    for at in range(0, len(objects), _PIECE):
        plain: list[Any] = []
        for obj in objects[at : at + _PIECE]:
            container = kind_of(kinds, obj).container
            if container is None or length(container, obj) <= _FEW:
                plain.append(obj)
                continue
            for batch in batches(container, obj, gc.get_referents):
                if not wanted.isdisjoint(map(id, batch)) and id(obj) not in seen:
                    _take(obj, batch, level, found)
                if not pace.turn():
                    return found
        if not wanted.isdisjoint(map(id, gc.get_referents(*plain))):
            for obj in plain:
                if id(obj) not in seen:
                    _take(obj, gc.get_referents(obj), level, found)
        if len(found) >= _WIDTH or not pace.turn():
            break
    return found


def _take(obj: Any, batch: list[Any], level: dict[int, Node], found: list[Node]) -> None:
    for referent in batch:
        below = level.get(id(referent))
        if below is not None and below.parents < _PARENTS:
            below.parents += 1
            found.append(Node(obj, below))
            return  # one chain through each parent is enough


def _is_root(obj: object) -> bool:
    kind = type(obj)
    return issubclass(kind, (ModuleType, FrameType, type)) or _module_of(obj) is not None


def _module_of(obj: object) -> str | None:
    """The name of the module whose namespace this is; else every function of the module would be a way up, too."""
    if type(obj) is not dict:
        return None
    name = dict.get(obj, "__name__")
    module = sys.modules.get(name) if type(name) is str else None
    return name if module is not None and dict_of(module) is obj else None


def _words(node: Node, scrub: Callable[[str], str]) -> list[str]:
    words = []
    at: Node | None = node
    while at is not None:
        words.append(scrub(_word(at)))
        at = at.below
    return words


def _word(node: Node) -> str:
    obj, below = node.obj, node.below
    kind = type(obj)
    if below is None:
        return name_of(kind)
    if issubclass(kind, FrameType):
        return f"frame of {obj.f_code.co_name}"[:_LONGEST_WORD]
    namespace = obj if kind is dict else dict_of(obj)
    if issubclass(kind, ModuleType):
        name = None if namespace is None else dict.get(namespace, "__name__")
        return f"module {name}"[:_LONGEST_WORD] if type(name) is str else "module"
    key = None if namespace is None else _key(namespace, below.obj)
    module_name = _module_of(obj)
    if module_name is not None:
        return f"module {module_name}"[:_LONGEST_WORD] + ("" if key is None else f".{key}")
    if kind is not dict:
        return name_of(kind) if key is None else f"{name_of(kind)}.{key}"
    return "dict" if key is None else f"dict[{key}]"


def _key(namespace: dict[Any, Any], wanted: object) -> str | None:
    """Under which key a value is, if that is the name of something: other keys may be secrets, or anything."""
    try:
        for number, (key, value) in enumerate(dict.items(namespace)):
            if number >= _SCANNED:
                return None
            if value is wanted:
                return key[:_LONGEST_WORD] if type(key) is str and key.isidentifier() else None
    except RuntimeError:  # it has changed its size
        return None
    return None
