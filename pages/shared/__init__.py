"""What pages share: `require()` first, then `run_in_view()` for the run and `page_header(...)` above it."""

from __future__ import annotations

from pages.shared.run_view import RunInView, page_header, run_in_view
from pages.shared.shell import require
from pages.shared.sidebar import Controls, controls
from pages.shared.style import figure, numbers, quiet

__all__ = [
    "Controls",
    "RunInView",
    "controls",
    "figure",
    "numbers",
    "page_header",
    "quiet",
    "require",
    "run_in_view",
]
