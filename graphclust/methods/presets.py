"""Presets: named sets of settings, so that a single parameter stands for many.

A method has a table of presets. The first one, "graphclust", is the meaning of `preset=None`; "published" is what the
paper prints. A preset sets constructor parameters, `training` among them, and settings that no parameter sets. The rule
for each setting:

1. a constructor parameter whose value differs from its default wins over the preset;
2. otherwise the preset's value holds;
3. otherwise the parameter's default, or, for settings that no parameter sets, the value of the first preset.

Advanced settings are fields of a frozen dataclass, which is passed as the parameter `training`. A mapping, such as
`training={"batch_size": 128}`, changes some fields of the preset's value.

The constructor stores its arguments unchanged, so that `get_params`, `set_params` and `clone` work as usual. There is
one drawback: a parameter that is explicitly set to its default value cannot be told from one that was left alone, and
the preset's value replaces it. This does not concern the fields of a mapping.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from types import SimpleNamespace
from typing import Any, ClassVar, TypeAlias, TypeVar

from graphclust.errors import UsageError, unknown
from graphclust.methods.base import GraphEstimator
from graphclust.runtime.checks import check_count, check_number, check_sequence

__all__ = [
    "PresetMixin",
    "Presets",
    "check_positive",
    "check_sizes",
    "freeze_sequences",
    "settings_of",
    "training_of",
]

Presets: TypeAlias = Mapping[str, Mapping[str, Any]]
T = TypeVar("T")


class PresetMixin:
    """The settings of an estimator with the parameters `training` and `preset`.

    Class attributes
    ----------------
    presets : Presets
    """

    presets: ClassVar[Presets]
    training: Any
    preset: str | None

    @property
    def settings(self: Any) -> SimpleNamespace:
        """The settings that `fit` uses: the parameters, with the preset's values for those left at their defaults.

        `training` is an instance of the method's class `Training`.

        Raises
        ------
        UsageError
            The preset or a setting of the training does not exist, or a setting is out of range.
        """
        return settings_of(self, self.presets)

    @classmethod
    def other_settings(cls) -> Collection[str]:
        """Return the names of the fields of `training`."""
        return [setting.name for setting in fields(next(iter(cls.presets.values()))["training"])]


def settings_of(estimator: GraphEstimator, presets: Presets) -> SimpleNamespace:
    """Return the settings that an estimator runs with, as attributes.

    Parameters
    ----------
    estimator : GraphEstimator
        An estimator with a parameter `preset`, which is a name in `presets`, or None for the first one.
    presets : mapping of str to mapping
        Names and values of the settings of each preset. The first preset sets every setting that is not a constructor
        parameter.

    Returns
    -------
    SimpleNamespace
        Every constructor parameter except `preset`, and every other setting. A setting whose preset is a dataclass is
        always a dataclass; see `training_of`.

    Raises
    ------
    UsageError
        The preset, or a field of a dataclass, does not exist; or a field is out of range.

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
    first = next(iter(presets))
    if name is None:
        name = first
    if not isinstance(name, str) or name not in presets:
        raise unknown("preset", name, presets)
    chosen = presets[name]
    settings = dict(presets[first]) | dict(chosen)
    for key, value in values.items():
        if key in chosen and _same(value, defaults[key]):
            continue
        preset_value = settings.get(key)
        settings[key] = training_of(value, preset_value) if is_dataclass(preset_value) else value
    return SimpleNamespace(**settings)


def _same(value: Any, default: Any) -> bool:
    """Return whether a parameter has its default value: the same object, or an equal one of the same type."""
    return value is default or (type(value) is type(default) and bool(value == default))


def training_of(value: Any, base: T) -> T:
    """Return the dataclass of settings that a parameter stands for.

    Parameters
    ----------
    value : mapping, None, or instance of the class of `base`
        A mapping changes some fields of `base`. None stands for `base` itself.
    base : dataclass
        The settings of the preset.

    Raises
    ------
    UsageError
        The value is none of these, names an unknown setting, or is out of range.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Training:
    ...     batch_size: int = 64
    ...     noise: float = 0.0
    >>> training_of({"noise": 0.1}, Training(batch_size=32))
    Training(batch_size=32, noise=0.1)
    """
    if value is None:
        return base
    kind: Any = type(base)
    if isinstance(value, kind):
        settings: T = value
        return settings
    if not isinstance(value, Mapping):
        wanted = f"{kind.__module__}.{kind.__qualname__}"
        raise UsageError(f"training must be a mapping of settings or an instance of {wanted}, not {value!r}")
    names = [setting.name for setting in fields(kind)]
    for name in value:
        if name not in names:
            raise unknown("training setting", name, names)
    changed: T = replace(base, **value)  # type: ignore[type-var]
    return changed


def check_sizes(name: str, sizes: Any, *, empty: bool = True) -> None:
    """Refuse a setting that is not a sequence of positive integers, such as the sizes of layers.

    Raises
    ------
    UsageError
    """
    check_sequence(name, sizes, empty=empty)
    for size in sizes:
        check_count(name, size)


def check_positive(name: str, value: Any) -> None:
    """Refuse a setting that is not a finite positive number.

    Raises
    ------
    UsageError
    """
    check_number(name, value)
    if not value:
        raise UsageError(f"{name} must be above 0, not {value!r}")


def freeze_sequences(settings: Any, *names: str) -> None:
    """Replace sequences in fields of a frozen dataclass by tuples; fields that are None stay None."""
    for name in names:
        if getattr(settings, name) is not None:
            object.__setattr__(settings, name, tuple(getattr(settings, name)))
