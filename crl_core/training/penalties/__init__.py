"""Penalties, each a small pure function: `base` defines what a penalty is, `REGISTRY` lists them.

λ of different penalties are not comparable: each has its own units. Compare each at its own best, or by a label-free
rule.
"""

from __future__ import annotations

from crl_core.training.penalties.base import Batch, Penalty
from crl_core.training.penalties.latents import LATENT_PENALTIES
from crl_core.training.penalties.opponents import OPPONENT_PENALTIES
from crl_core.training.penalties.pairs import PAIR_PENALTIES
from crl_core.training.penalties.risks import RISK_PENALTIES

REGISTRY = {item.id: item for item in (*LATENT_PENALTIES, *RISK_PENALTIES, *OPPONENT_PENALTIES, *PAIR_PENALTIES)}

__all__ = ["REGISTRY", "Batch", "Penalty"]
