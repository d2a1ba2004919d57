"""Measures in words: the probes and the overlap of a latent, and no more than they show.

A sentence is chosen by figures alone, so that the same figures read the same on every page.
"""

from __future__ import annotations

from math import isfinite

READ_WELL, READ_HARDLY = 0.5, 0.2  # R² from which a latent is said to carry, or to have lost, a variable
HIDDEN = 0.25  # share of the unpenalised MMD² below which the kernel is said not to see a difference any more
ENOUGH_P = 0.05


def r2_text(value: float) -> str:
    """R² as papers write it: ".97"; "0" where it is not above 0."""
    if not isfinite(value):
        return "not defined"
    shown = f"{max(value, 0.0):.2f}"
    return "0" if shown == "0.00" else shown.removeprefix("0")


def what_the_latent_knows(
    lam: float,
    r2_z: float,
    r2_s: float,
    mmd2: float,
    mmd2_at_0: float,
    p_value: float,
    *,
    align: str = "environment",
) -> str:
    """Two sentences on s and z, from the larger of the ridge and the kNN probe's R².

    mmd2_at_0: of the run's smallest λ; NaN where it has no figure, as any argument may be.
    align:     what the penalty compares; between treatment arms nothing asks the latent to be without s.
    """
    if not (isfinite(r2_z) or isfinite(r2_s)):
        return "What this latent still knows of z and s is not defined: it has no usable values."
    hidden: bool | None = (isfinite(p_value) and p_value > ENOUGH_P) or mmd2 < HIDDEN * mmd2_at_0
    if not hidden and not isfinite(p_value):
        hidden = None  # nothing says whether the kernel sees a difference
    of_s = _of_s(lam, r2_s, hidden, align) if isfinite(r2_s) else _undefined("s")
    return f"{of_s} {_of_z(r2_z) if isfinite(r2_z) else _undefined('z')}"


def _undefined(name: str) -> str:
    return f"Whether {name} can be read is not defined: it hardly varies, or too few rows are held out."


def _of_s(lam: float, r2: float, hidden: bool | None, align: str) -> str:
    text = r2_text(r2)
    if r2 < READ_HARDLY:
        how = "neither probe finds more at this λ" if lam > 0 else "the network never needed it"
        return f"s can hardly be read from this latent (R² {text}): {how}."
    if r2 < READ_WELL:
        return f"A part of s can be read from this latent (R² {text})."
    if lam == 0:
        return f"s can be read from this latent (R² {text}): no penalty asks the latent to be without it."
    if hidden is None:
        return f"s can still be read from this latent (R² {text})."
    if align == "treatment":
        seen = (
            "the kernel hardly tells the treatment arms apart"
            if hidden
            else "the kernel still tells the treatment arms apart"
        )
        return f"s can be read from this latent (R² {text}), and {seen}."
    if hidden:
        return f"s can still be read from this latent (R² {text}): it is only hidden from the kernel."
    return f"s can still be read from this latent (R² {text}), and the kernel still sees the difference."


def _of_z(r2: float) -> str:
    text = r2_text(r2)
    if r2 >= READ_WELL:
        return f"z, the cause, can be read (R² {text})."
    if r2 >= READ_HARDLY:
        return f"Of z, the cause, only a part is left (R² {text})."
    return f"z, the cause, can hardly be read any more (R² {text}): the latent has lost what the outcome depends on."


def p_text(value: float) -> str:
    """A permutation p-value; it is never zero."""
    if not isfinite(value):
        return "not defined"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
