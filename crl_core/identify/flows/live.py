"""The worker's part of a training that a page watches: it writes lines into a file (see `identify.live`)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.identify.chance import chance
from crl_core.identify.flows.fit import Stopped
from crl_core.identify.flows.recover import RESTARTS, STEPS, recover
from crl_core.identify.latent_worlds import LatentWorld
from crl_core.identify.method_inputs import draw
from crl_core.identify.promises import promise_of
from crl_core.identify.scores import correlations, score

_LOOKS = 30  # lines on the way
_POINTS = 250  # of the scatter


def tell(
    world: LatentWorld,
    seed: int,
    write: Callable[[dict[str, Any]], None],
    restarts: int = RESTARTS,
    steps: int = STEPS,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Write {"step", "of", "matrix", "mcc"} while training, then {"done": {...}} or {"problem": sentence}.

    Raises: Stopped.
    """
    began, cpu = time.perf_counter(), time.process_time()
    try:
        drawn = draw(world, [seed])
        promise = promise_of(world)
        noises = promise.about == "noises"
        truth = drawn.noise[0] if noises else drawn.z[0]

        def listen(step: int, losses: np.ndarray, latents: np.ndarray) -> None:
            best = int(np.where(np.isfinite(losses[0]), losses[0], np.inf).argmin())
            now = latents[0, best]
            if np.isfinite(now).all():
                matrix = correlations(truth, now)
                write(
                    {
                        "step": step,
                        "of": steps,
                        "matrix": matrix.round(4).tolist(),
                        "mcc": score(truth, now).mcc,
                    }
                )

        watch = sorted({round(steps * (k / _LOOKS) ** 1.5) for k in range(1, _LOOKS)} - {0})
        (row,) = recover(
            world, [seed], restarts=restarts, steps=steps, watch=watch, listen=listen, should_stop=should_stop
        )
        if row.score is None or row.against_noise is None or row.latents is None:
            write({"problem": row.problem})
            return
        kept = np.linspace(0, len(truth) - 1, _POINTS).astype(int)
        about = row.against_noise if noises else row.score
        done = {
            "mcc": about.mcc,
            "mcc_latents": row.score.mcc,
            "mcc_noises": row.against_noise.mcc,
            "r2": about.r2,
            "floor": (chance(world.dim) if noises else row.chance).median,
            "floor_95": (chance(world.dim) if noises else row.chance).high,
            "restarts_agree": row.restarts_agree,
            "causes": _by_cut_edges(world, seed) if promise.by == "causes" else None,
            "per_coordinate": about.per_coordinate.tolist(),
            "spearman": about.spearman,
            "matrix": about.matrix.tolist(),
            "order": about.order.tolist(),
            "truth": truth[kept].round(4).tolist(),
            "found": row.latents[kept].round(4).tolist(),
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
        }
        write({"done": done})
    except ValueError as error:
        write({"problem": str(error)})


def _by_cut_edges(world: LatentWorld, seed: int) -> dict[str, Any]:
    """The scores of the likelihood of cut edges on the same draw."""
    (row,) = recover(world, [seed], ["causes"], redraws=2)
    return row.to_dict()


def carry_out_task(task: Mapping[str, Any], should_stop: Callable[[], bool]) -> None:
    """Train the latent world `task["world"]` with `task["seed"]` into the file `task["file"]`.

    A training that was stopped leaves no file. A problem is the file's last line, as long as the disk takes it.
    """
    target = Path(task["file"])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", encoding="utf-8") as file:

            def write(line: dict[str, Any]) -> None:
                file.write(json.dumps(line) + "\n")
                file.flush()

            tell(LatentWorld.from_dict(task["world"]), int(task["seed"]), write, should_stop=should_stop)
    except Stopped:
        target.unlink(missing_ok=True)
    except OSError:  # the disk is full: the file stops without an ending, and its reader reports that
        return
