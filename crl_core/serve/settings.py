"""Limits of a server, each with its reason and a sentence for who exceeds it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_network

MOST_ABS = 1e6  # of a feature: a float32 network has no digits left beyond

_NUMBER, _LABEL = 26, 100  # bytes at most of a number in full, -1.2345678901234567e-123 and a comma, and of a label
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+){1,20}")
_ALLOWED = "it must be a path such as /models: a slash first, then letters, digits and - . _ ~, no // and no .."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Limits and choices of one server."""

    api_key: str | None = None  # None: open to whoever reaches the address
    max_rows: int = 1024
    max_body: int = 1_000_000  # bytes, or what `with_room` needs
    timeout_s: float = 10.0  # from a request's first byte to its answer, so that a slow sender holds nothing
    log_features: bool = False
    root_path: str = ""  # path prefix at which a proxy shows the endpoint; it wins over X-Forwarded-Prefix
    trusted_proxies: str = "127.0.0.1"  # whose X-Forwarded-… headers are believed
    max_labels: int = (
        50  # environments watched one by one; the rest share one window, so memory and metrics stay bounded
    )
    idle_s: float = 600.0  # after which a label gives way to a new one where all places are taken
    max_label: int = 64  # characters of a label
    window: int = 200  # newest rows of a label that are tested
    least: int = 50  # rows before the first test, and between two
    seed: int = 0  # of the permutations

    def __post_init__(self) -> None:
        for name in ("max_rows", "max_body", "timeout_s", "max_labels", "idle_s", "max_label", "window", "least"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be > 0.")
        if not 10 <= self.least <= self.window <= 500:
            raise ValueError(
                f"least is {self.least} and window {self.window}; 10 <= least <= window <= 500 are possible."
            )
        if self.api_key is not None and not (8 <= len(self.api_key) <= 200 and self.api_key.isascii()):
            raise ValueError("the API key must have 8 to 200 ASCII characters.")
        try:
            checked_prefix(self.root_path)
        except ValueError as error:
            raise ValueError(f"the path prefix is {self.root_path[:60]!r}; {error}.") from None
        checked_proxies(self.trusted_proxies)

    def with_room(self, features: int) -> Settings:
        """The same with a body that holds `max_rows` rows of so many numbers, however many digits they have."""
        return replace(self, max_body=max(self.max_body, self.max_rows * (_NUMBER * features + _LABEL)))


def checked_prefix(given: str) -> str:
    """A path prefix without its last slash, "" for none. Raises ValueError, without what came, if it is none."""
    prefix = given.removesuffix("/")
    if prefix and (len(prefix) > 200 or not _PREFIX.fullmatch(prefix)):
        raise ValueError(_ALLOWED)
    return prefix


def checked_proxies(given: str) -> list[str]:
    """Addresses and networks of proxies, parted by commas; `*` alone is anyone. Raises ValueError if one is neither."""
    found = [item.strip() for item in given.split(",") if item.strip()]
    for item in found:
        try:
            if found != ["*"]:
                ip_network(item)
        except ValueError:
            raise ValueError(
                f"{item[:60]!r} is no proxy that can be trusted; give addresses or networks parted by commas, e.g. "
                "127.0.0.1,10.0.0.0/8, or * for anyone."
            ) from None
    return found
