"""A run on disk: sealed, listed, labelled, and taken from one store to another."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crl_core.runs.store import RunBusy, RunCorrupted, RunNotFound, RunStore, RunSummary, StoreError

__all__ = ["RunBusy", "RunCorrupted", "RunNotFound", "RunStore", "RunSummary", "StoreError"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # asked for only then: `temporary` is needed where a store's packages are not installed
        from crl_core.runs import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
