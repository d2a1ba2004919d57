"""Figures: arrays in, a Plotly figure out. A builder given no rows returns a titled, empty figure."""

from __future__ import annotations

from crl_core.palette import THEMES, Palette, Theme, palette

__all__ = ["THEMES", "Palette", "Theme", "palette"]
