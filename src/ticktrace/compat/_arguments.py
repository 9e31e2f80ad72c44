"""Labels taken from the arguments of a call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ticktrace.catalog import attribute_key
from ticktrace.engine import warn_once
from ticktrace.errors import CatalogError

if TYPE_CHECKING:
    from ticktrace.catalog import InstrumentSpec

__all__ = ["ArgumentLabels", "Labels", "constant_labels"]

Labels = Sequence[str] | Mapping[str, Any] | None
"""What the decorators take as labels; see `ArgumentLabels`."""

_MISSING = object()
_Take = Callable[[tuple[Any, ...], Mapping[str, Any]], Any]


class ArgumentLabels:
    """Takes the labels of one function's calls, by attribute key.

    Args:
        spec: the instrument, which has the labels.
        labels: names of parameters, each a label of that name; ``signal.symbol`` is the attribute ``symbol`` of the
            parameter ``signal``, a label ``symbol``. Or a mapping of labels to constants, or to functions that are called
            with what the decorated function is called with.
        function: whose calls they are.

    Raises:
        CatalogError: the instrument has no such label.
        TypeError: the function has no such parameter.
    """

    def __init__(self, spec: InstrumentSpec, labels: Labels, function: Callable[..., Any]) -> None:
        self._spec = spec
        self._constant: dict[str, Any] = {}
        self._taken: dict[str, _Take] = {}
        if labels is None:
            return
        if isinstance(labels, str):
            labels = (labels,)
        if isinstance(labels, Mapping):
            for label, value in labels.items():
                key = _key(spec, label)
                if callable(value):
                    self._taken[key] = _called(value)
                else:
                    self._constant[key] = value
            return
        parameters = inspect.signature(getattr(function, "__func__", function)).parameters
        for path in labels:
            key = _key(spec, path.rpartition(".")[2])
            self._taken[key] = _argument(path, parameters, function)

    def of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The labels of a call. Never raises: one that cannot be had is left out."""
        found = dict(self._constant)
        for key, take in self._taken.items():
            try:
                value = take(args, kwargs)
            except Exception as error:  # noqa: BLE001  attributes and functions of the application's
                warn_once(
                    f"track.{self._spec.name}.{key}",
                    "ticktrace: the label %s of %s could not be taken from the arguments: %r",
                    key,
                    self._spec.name,
                    error,
                )
                continue
            if value is not None:
                found[key] = value
        return found


def constant_labels(spec: InstrumentSpec, labels: Mapping[str, Any] | None) -> dict[str, Any]:
    """Labels by attribute key.

    Raises:
        CatalogError: the instrument has no such label.
    """
    return {_key(spec, label): value for label, value in (labels or {}).items()}


def _key(spec: InstrumentSpec, label: str) -> str:
    key = attribute_key(spec, label)
    if key is None:
        raise CatalogError(
            f"{spec.name} has no label {label!r}; it has {', '.join(spec.attributes) or 'none'}"
        )
    return key


def _called(function: Callable[..., Any]) -> _Take:
    return lambda args, kwargs: function(*args, **kwargs)


def _argument(path: str, parameters: Mapping[str, inspect.Parameter], function: Callable[..., Any]) -> _Take:
    name, _, attributes = path.partition(".")
    parameter = parameters.get(name)
    if parameter is None:
        raise TypeError(
            f"{getattr(function, '__qualname__', function)} has no parameter {name!r}; it has {', '.join(parameters) or 'none'}"
        )
    default = None if parameter.default is parameter.empty else parameter.default
    place = (
        list(parameters).index(name)
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        else None
    )
    resolve = attrgetter(attributes) if attributes else None

    def take(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        value = kwargs.get(name, _MISSING)
        if value is _MISSING:
            value = args[place] if place is not None and place < len(args) else default
        return value if resolve is None or value is None else resolve(value)

    return take
