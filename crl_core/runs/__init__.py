"""A run on disk: sealed, listed, labelled, and taken from one store to another."""

from crl_core.runs.store import RunBusy, RunCorrupted, RunNotFound, RunStore, RunSummary, StoreError

__all__ = ["RunBusy", "RunCorrupted", "RunNotFound", "RunStore", "RunSummary", "StoreError"]
