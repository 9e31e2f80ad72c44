"""A stand-in for a client object, whose methods are observed and everything else is the client's own."""

from __future__ import annotations

import types
from fnmatch import fnmatchcase
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ticktrace.trading.providers._results import decorated, observe

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.trading._block import Block

__all__ = ["observed_client"]

C = TypeVar("C")

# How a class works; all other special methods are forwarded, for Python asks the class for them and not the object.
_OF_THE_CLASS = frozenset(
    {
        *("__class_getitem__", "__init_subclass__", "__subclasshook__", "__new__", "__init__", "__del__"),
        *("__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__getstate__", "__setstate__"),
    }
)
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType)


_MOST_METHODS = 2_000


def _same(one: Any, other: Any) -> bool:
    """Whether it is the same method; a bound one is made anew each time it is asked for."""
    if isinstance(one, types.MethodType) and isinstance(other, types.MethodType):
        return one.__func__ is other.__func__ and one.__self__ is other.__self__
    return one is other


class _State:
    """What a stand-in stands for.

    Attributes:
        client: the object.
        patterns: of the names of the methods that are observed.
        begin: makes the block of a method's call.
        methods: the methods as they were handed out, each with what it was made of.
    """

    __slots__ = ("begin", "client", "methods", "patterns")

    def __init__(self, client: Any, patterns: tuple[str, ...], begin: Callable[[str], Block]) -> None:
        self.client = client
        self.patterns = patterns
        self.begin = begin
        self.methods: dict[str, tuple[Any, Any]] = {}

    def observed(self, name: str, value: Any) -> Any:
        if name.startswith("_") or not callable(value) or isinstance(value, type):
            return value
        known = self.methods.get(name)
        if known is not None and _same(known[0], value):
            return known[1]
        if not any(fnmatchcase(name, pattern) for pattern in self.patterns):
            return value

        def begin() -> Block:
            return self.begin(name)

        method = decorated(begin, value) if isinstance(value, _FUNCTIONS) else _Method(begin, value)
        if len(self.methods) < _MOST_METHODS:
            self.methods[name] = (value, method)
        return method


class _Method:
    """A method that is an object of its own, with attributes that somebody may ask for."""

    def __init__(self, begin: Callable[[], Block], function: Callable[..., Any]) -> None:
        update_wrapper(self, function, updated=())
        self._begin = begin
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return observe(self._begin, self._function, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_function":  # a copy that is not complete yet
            raise AttributeError(name)
        return getattr(self._function, name)


def _state(stand_in: object) -> _State:
    state: _State = object.__getattribute__(stand_in, "_ticktrace")
    return state


class _StandIn:
    __slots__ = ("__weakref__", "_ticktrace")

    def __init__(self, state: _State) -> None:
        object.__setattr__(self, "_ticktrace", state)

    @property
    def __class__(self) -> Any:
        return type(_state(self).client)

    @__class__.setter
    def __class__(self, kind: Any) -> None:
        _state(self).client.__class__ = kind

    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # what the client has, to be written to
        return _state(self).client.__dict__

    def __getattr__(self, name: str) -> Any:
        state = _state(self)
        return state.observed(name, getattr(state.client, name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_state(self).client, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_state(self).client, name)


def _forwarded(name: str) -> Callable[..., Any]:
    def special(self: Any, *args: Any, **kwargs: Any) -> Any:
        client = _state(self).client
        result = getattr(client, name)(*(_real(argument) for argument in args), **kwargs)
        return self if result is client else result

    async def entered(self: Any, *args: Any, **kwargs: Any) -> Any:
        client = _state(self).client
        result = await getattr(client, name)(*args, **kwargs)
        return self if result is client else result

    return entered if name == "__aenter__" else special


def _real(argument: Any) -> Any:
    """The client, where an argument is a stand-in for it: a client may compare itself with another."""
    return _state(argument).client if issubclass(type(argument), _StandIn) else argument


def observed_client(client: C, patterns: tuple[str, ...], begin: Callable[[str], Block]) -> C:
    """A stand-in for `client`.

    Args:
        client: any object.
        patterns: of the names of the methods that are observed.
        begin: makes the block of a method's call.
    """
    kind = type(client)
    special = {
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if name.startswith("__") and name.endswith("__") and name not in _OF_THE_CLASS and callable(value)
    }
    namespace: dict[str, Any] = {name: _forwarded(name) for name in special}
    if cast("Any", kind).__hash__ is None:
        namespace["__hash__"] = None
    namespace |= {"__slots__": (), "__doc__": kind.__doc__, "__module__": kind.__module__}
    stand_in = type(f"Observed{kind.__name__}", (_StandIn,), namespace)
    return cast("C", stand_in(_State(client, patterns, begin)))
