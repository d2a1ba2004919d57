"""Limits of a server, each with its reason and a sentence for who exceeds it."""

from __future__ import annotations

from dataclasses import dataclass

MOST_ABS = 1e6  # of a feature: a float32 network has no digits left beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Limits and choices of one server."""

    api_key: str | None = None  # None: open to whoever reaches the address
    max_rows: int = 1024
    max_body: int = 1_000_000  # bytes; 1,024 rows of 20 features take about half
    timeout_s: float = 10.0  # from a request's first byte to its answer, so that a slow sender holds nothing
    log_features: bool = False
    max_labels: int = (
        50  # environments watched one by one; the rest share one window, so memory and metrics stay bounded
    )
    max_label: int = 64  # characters of a label
    window: int = 200  # newest rows of a label that are tested
    least: int = 50  # rows before the first test, and between two
    seed: int = 0  # of the permutations

    def __post_init__(self) -> None:
        for name in ("max_rows", "max_body", "timeout_s", "max_labels", "max_label", "window", "least"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be > 0.")
        if not 10 <= self.least <= self.window <= 500:
            raise ValueError(
                f"least is {self.least} and window {self.window}; 10 <= least <= window <= 500 are possible."
            )
        if self.api_key is not None and not (8 <= len(self.api_key) <= 200 and self.api_key.isascii()):
            raise ValueError("the API key must have 8 to 200 ASCII characters.")
