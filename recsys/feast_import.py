"""The first import of Feast without what takes most of its time and is not used here.

Feast has `typeguard` write checks of types into its classes as they are imported: each method is compiled
anew, in half of the time that the import takes. And it imports torch where that is installed, for answers as
tensors.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_FEAST, _TORCH = "feast", "torch"


def reduce_feast_import() -> None:
    """Has the first import of Feast in this process leave both out; none where Feast is there already.

    `feast` as typed keeps its checks: they tell what is wrong in a feature repository.
    """
    if _FEAST not in sys.modules and not any(isinstance(each, _FeastFinder) for each in sys.meta_path):
        sys.meta_path.insert(0, _FeastFinder())


class _FeastFinder:
    """Finds Feast, once."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` has it."""
        if name != _FEAST:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _FeastLoader(name, spec.origin)
        return spec


class _FeastLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _without_checks(), _without_torch():
            super().exec_module(module)


@contextmanager
def _without_checks() -> Iterator[None]:
    """`typechecked` gives back what it is given, as it does under `python -O`."""
    import typeguard

    before = typeguard.typechecked
    typeguard.typechecked = _unchanged  # type: ignore[assignment]
    try:
        yield
    finally:
        typeguard.typechecked = before


def _unchanged(target: Any) -> Any:
    return target


@contextmanager
def _without_torch() -> Iterator[None]:
    """Torch cannot be imported, as where it is not installed; one that was imported stays."""
    if _TORCH in sys.modules:
        yield
        return
    sys.modules[_TORCH] = None  # type: ignore[assignment]  # Python's own way to say so
    try:
        yield
    finally:
        del sys.modules[_TORCH]
