"""Presets: named sets of settings, so that one parameter stands for many.

A method has a table of presets. The first one, "graphclust", is what `preset=None` means; "published" is what the paper
prints. A preset sets constructor parameters, and settings that only presets can set. The rule for each setting:

1. a constructor parameter whose value differs from its default wins over the preset;
2. otherwise the preset's value holds;
3. otherwise the parameter's default, or, for settings that no parameter sets, the value of the first preset.

The constructor stores its arguments as they are, so `get_params`, `set_params` and `clone` are not affected. The price:
a parameter that is explicitly set to its default value cannot be told from one that was left alone, and the preset's
value replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias

from graphclust.errors import unknown
from graphclust.methods.base import GraphEstimator

__all__ = ["Presets", "settings_of"]

Presets: TypeAlias = Mapping[str, Mapping[str, Any]]


def settings_of(estimator: GraphEstimator, presets: Presets) -> SimpleNamespace:
    """Return the settings that an estimator runs with, as attributes.

    Parameters
    ----------
    estimator : GraphEstimator
        With a parameter `preset`: a name in `presets`, or None for the first one.
    presets : mapping of str to mapping
        Names and values of the settings of each preset. The first preset sets every setting that is not a constructor
        parameter.

    Returns
    -------
    SimpleNamespace
        Every constructor parameter except `preset`, and every other setting.

    Raises
    ------
    UsageError
        No preset has this name.

    Examples
    --------
    >>> from graphclust.methods.base import GraphEstimator
    >>> class Example(GraphEstimator):
    ...     def __init__(self, *, rate=0.1, layers=(64,), preset=None):
    ...         self.rate, self.layers, self.preset = rate, layers, preset
    >>> presets = {"graphclust": {"optimizer": "adam"}, "published": {"rate": 0.5, "optimizer": "sgd"}}
    >>> settings_of(Example(), presets)
    namespace(optimizer='adam', rate=0.1, layers=(64,))
    >>> settings_of(Example(preset="published", layers=(8,)), presets)
    namespace(optimizer='sgd', rate=0.5, layers=(8,))
    """
    defaults = estimator.parameters()
    values = estimator.get_params()
    name = values.pop("preset")
    base = next(iter(presets))
    if name is None:
        name = base
    if not isinstance(name, str) or name not in presets:
        raise unknown("preset", name, presets)
    chosen = presets[name]
    settings = dict(presets[base]) | dict(chosen)
    for key, value in values.items():
        if key not in chosen or not _same(value, defaults[key]):
            settings[key] = value
    return SimpleNamespace(**settings)


def _same(value: Any, default: Any) -> bool:
    """Return whether a parameter has its default value: the same object, or an equal one of the same type."""
    return value is default or (type(value) is type(default) and bool(value == default))
