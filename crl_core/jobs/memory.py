"""What memory a run will take before it is started, so that a small machine says no instead of dying of it."""

from __future__ import annotations

from collections.abc import Mapping

from crl_core.config import RunConfig
from crl_core.config.run import BATCHED_NUMBERS, BATCHED_STEPS, KEPT_A_SAMPLE
from crl_core.jobs.cost import entries_a_row
from crl_core.jobs.machine import memory_bytes
from crl_core.results import parameters_of

PROCESS = 410e6  # bytes of a process that has loaded torch and trained something tiny
# Bytes for each number of a part, fitted by least squares of the relative error to 70 drawn configs on a processor
# (`benchmarks/growth.py --only memory` draws others).
_BYTES = {"rows": 13.6, "weights": 25.8, "activations": 3.9, "penalty": 3.2, "bandwidth": 5.0, "batches": 16.5}
_WHILE_DRAWN = 2.2  # replicates' rows that are in memory while one replicate's are drawn and put on the disk
_INSTEAD = {
    "rows": "use fewer samples or replicates",
    "weights": "use fewer hidden units, latent dimensions or replicates",
    "activations": "use a smaller batch or fewer hidden units",
    "penalty": "use a smaller batch, or training.ipm_estimate rff",
    "bandwidth": "use a smaller batch, or training.ipm_estimate rff",
    "batches": "use a smaller batch or fewer λ",
}


def memory_needed(config: RunConfig) -> float:
    """Bytes that the process which trains `config` on a processor will take at most."""
    return PROCESS + sum(_parts(config).values())


def too_much(config: RunConfig, there: float | None = None) -> str | None:
    """In a sentence, that the run will not fit into the memory of this machine, and what would; None where it does, or
    where a GPU is asked for, whose memory is another.

    there: bytes; default what the machine or its container has.
    """
    if config.training.device not in ("auto", "cpu"):
        return None
    needed, there = memory_needed(config), memory_bytes() if there is None else there
    if needed <= there:
        return None
    parts = _parts(config)
    instead = _INSTEAD[max(parts, key=lambda part: parts[part])]
    room = f"{needed / 1e9:.1f} GB of memory, and this machine has {there / 1e9:.1f} GB"
    return f"To train this takes about {room}; {instead}."


def _parts(config: RunConfig) -> Mapping[str, float]:
    """Bytes, by what they are for."""
    training, source = config.training, config.source
    rows = source.n_rows - source.n_held_out
    batch, at_once, dim_x = min(training.batch_size, rows), training.models_at_once, config.dim_x
    units = 3 * training.hidden + training.latent_dim + dim_x
    if training.encoder == "conv1d":
        units += KEPT_A_SAMPLE * dim_x
    held = _WHILE_DRAWN if config.on_disk else training.replicates
    kernels = 2 if training.penalty == "mmd-multi" else 1
    steps = min(BATCHED_STEPS, max(1, BATCHED_NUMBERS // (at_once * batch * dim_x)), rows // batch)
    numbers = {
        "rows": held * source.n_rows * (dim_x + 12),  # and what is known of a row beside x
        "weights": training.n_models * parameters_of(config),
        "activations": at_once * batch * units,
        "penalty": at_once * batch * kernels * entries_a_row(training, batch),
        "bandwidth": at_once * training.bandwidth_rows(batch) ** 2 if training.bandwidth == "median" else 0,
        "batches": at_once * batch * steps * (dim_x + 3),
    }
    return {part: _BYTES[part] * count for part, count in numbers.items()}
