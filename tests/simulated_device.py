"""A GPU that is not there: tensors in the CPU's memory that are labelled as on "cuda", and an account of all transfers.

`SimulatedDevice` follows every call of torch made from Python. What is made with `device="cuda"`, or moved there, and
what is computed from that, is labelled; `tensor.device` says "cuda" of it. The arithmetic is the CPU's, so a method
must find exactly what it finds on the CPU. Like a real device it refuses

- an operation on tensors of both places (except CPU tensors of no dimension, and CPU tensors as indices),
- a generator of the other place,
- `numpy()` of a tensor on the device.

It counts what makes the CPU wait for a real device: values read back (`item`, `tolist`, `float`, `bool`, `cpu`),
results whose shape depends on values (`nonzero`, `unique`, boolean indices), and blocking copies. It does not see what
happens inside a call of torch, which includes backward passes written by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
_READS = {"item", "tolist", "__bool__", "__float__", "__int__", "__index__", "equal", "is_nonzero", "allclose"}
_SHAPED_BY_VALUES = {"nonzero", "unique", "_unique2", "unique_consecutive", "masked_select", "bincount", "argwhere"}
_INDEXING = {"__getitem__", "__setitem__"}
_MOVES = {"to", "cpu", "cuda"}


class SimulatedDevice(TorchFunctionMode):
    """Run what stands inside with a simulated GPU.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
        Replaces `graphclust.runtime.devices.device_named`, and what makes generators and parameters.

    Attributes
    ----------
    waits : Counter of str
        How often the CPU would have waited for the device, by operation.
    """

    def __init__(self, monkeypatch: Any) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self._generators: dict[int, tuple[torch.Generator, torch.device]] = {}
        real_generator, real_new = torch.Generator, nn.Parameter.__new__

        def generator(device: Any = "cpu") -> torch.Generator:
            made = real_generator()
            self._generators[id(made)] = made, torch.device(device)
            return made

        def parameter(cls: type, data: Any = None, requires_grad: bool = True) -> Any:
            made = real_new(cls, data, requires_grad)
            return _labelled(made, _place(data)) if isinstance(data, Tensor) else made

        monkeypatch.setattr(torch, "Generator", generator)
        monkeypatch.setattr(nn.Parameter, "__new__", parameter)
        monkeypatch.setattr("graphclust.runtime.devices.device_named", torch.device)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name == "__get__":
            return self._attribute(func, args, kwargs)
        if name == "__set__":
            return _labelled(args[0], _place(args[1]), func(*args, **kwargs))
        if name == "_has_compatible_shallow_copy_type":  # asked by Module.to of both places
            return func(*args, **kwargs)
        if name == "pin_memory":
            return args[0]
        if name in _MOVES and isinstance(args[0], Tensor):
            return self._moved(name, args, kwargs)
        wanted = kwargs.pop("device", None)
        tensors = list(_tensors((args, kwargs)))
        place = self._common_place(func, name, args, tensors)
        if wanted is not None and not tensors:
            place = torch.device(wanted)
        elif wanted is not None and torch.device(wanted).type != place.type:  # as_tensor(x, device=...)
            self.waits[name] += 1
            place = torch.device(wanted)
        self._check_generator(name, place, kwargs)
        if place.type == "cuda":
            if name in ("numpy", "__array__"):
                raise TypeError("cannot convert a tensor on the device to NumPy: use Tensor.cpu() first")
            if name in _READS or name in _SHAPED_BY_VALUES or (name in _INDEXING and _by_values(args[1])):
                self.waits[name] += 1
        return _labelled_all(func(*args, **kwargs), place)

    def _attribute(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return an attribute of a tensor: where it is, or whatever has its place."""
        place, actual = _place(args[0]), func(*args, **kwargs)
        if isinstance(actual, torch.device):
            return place
        if func is Tensor.is_cuda.__get__:
            return place.type == "cuda"
        if func is Tensor.is_cpu.__get__:
            return place.type == "cpu"
        return _labelled_all(actual, place)

    def _moved(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Move a tensor: a copy if the place is another one, and a wait unless it goes to the device unblocked."""
        tensor = args[0]
        source = place = _place(tensor)
        dtype, non_blocking = kwargs.get("dtype"), bool(kwargs.get("non_blocking"))
        for value in (*args[1:], kwargs.get("device")):
            if isinstance(value, Tensor):
                place, dtype = _place(value), value.dtype
            elif isinstance(value, str | torch.device):
                place = torch.device(value)
            elif isinstance(value, torch.dtype):
                dtype = value
            elif isinstance(value, bool):
                non_blocking = value
        place = place if name == "to" else torch.device(name)
        moved = tensor if dtype in (None, tensor.dtype) else tensor.to(dtype)
        if place.type == source.type:
            return moved if moved is tensor else _labelled(moved, place)
        if source.type == "cuda" or not non_blocking:
            self.waits[name] += 1
        return _labelled(moved.clone(), place)

    def _common_place(self, func: Any, name: str, args: tuple[Any, ...], tensors: list[Tensor]) -> torch.device:
        """Return where the operands are; refuse those of both places."""
        if name in _INDEXING:
            own = _place(args[0])
            if own.type == "cuda" and any(t.numel() and _place(t).type == "cpu" for t in _tensors(args[1])):
                self.waits["index on the CPU"] += 1
            elif own.type == "cpu" and any(_place(t).type == "cuda" for t in _tensors(args[1])):
                raise RuntimeError("indices on the device of a tensor on the CPU")
            tensors = [args[0], *_tensors(args[2:])]
        places = {_place(t).type for t in tensors if t.dim()} or {_place(t).type for t in tensors}
        if any(_place(t).type == "cuda" for t in tensors) and "cpu" in places:
            raise RuntimeError(f"{resolve_name(func) or name}: tensors on the CPU and on the device")
        return CUDA if "cuda" in places else CPU

    def _check_generator(self, name: str, place: torch.device, kwargs: dict[str, Any]) -> None:
        generator = kwargs.get("generator")
        if generator is not None:
            _, own = self._generators.get(id(generator), (None, CPU))
            if own.type != place.type:
                raise RuntimeError(f"{name}: a generator of {own.type} for a tensor on {place.type}")


def _place(tensor: Tensor) -> torch.device:
    return tensor.__dict__.get("place", CPU)


def _labelled(tensor: Tensor, place: torch.device, result: Any = ...) -> Any:
    """Label a tensor, and return it or another result."""
    tensor.place = place  # type: ignore[attr-defined]
    return tensor if result is ... else result


def _labelled_all(value: Any, place: torch.device) -> Any:
    for tensor in _tensors(value):
        _labelled(tensor, place)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _by_values(index: Any) -> bool:
    """Return whether the shape of what is indexed depends on values on the device."""
    return any(t.dtype == torch.bool or t.dim() == 0 for t in _tensors(index) if _place(t).type == "cuda")
