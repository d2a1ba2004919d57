"""What a convolution makes of signals beside the MLP: python benchmarks/encoders.py [--json FILE] [--seed N] ...

Trained with either encoder on the same rows and batches, for one seed:
path:      a preset whose outcome is a label, along λ: the share of right labels in the trial, in a next hospital and in
           a reversed one, what became of each model; processor seconds, whose ratio is of this process, and memory.
any start: at λ = 0, hearts recorded without hum by one machine, in windows of a beat's length that begin at the same
           place of the beat, or anywhere: the share of right labels, and the effect error of the preset `filter` with
           treatment by a coin, of held-out rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core import RunConfig, preset, train, train_path
from crl_core.config.run import EncoderName
from crl_core.config.text import altered, read
from crl_core.data.scm import MultiEnvData
from crl_core.events import STATUS_WORDS, RunFinished
from crl_core.measures.prediction import PLACES, judged, prediction
from crl_core.results import data_of

ENCODERS = get_args(EncoderName)


def path(config: RunConfig) -> dict[str, Any]:
    """Of one encoder: processor seconds, and for each λ the accuracy in each place and what became of the model."""
    began = time.process_time()
    result = train(config)
    seconds = time.process_time() - began
    found = prediction(result)
    return {
        "seconds": seconds,
        "ceiling": found.ceiling,
        "lams": list(result.lams),
        "accuracy": {place: found.accuracy[place].tolist() for place in PLACES},
        "status": [STATUS_WORDS[int(status)] for status in result.status],
    }


def any_start(config: RunConfig) -> dict[str, float]:
    """At λ = 0, of windows that begin where the beat does, or anywhere in it: the held-out accuracy where the outcome
    is a label, else the effect error (ITE RMSE)."""
    samples = config.scenario.samples
    plain = altered(config, lams=(0.0,), replicates=1, hum_mv=0.0, leak=0.0, highpass=(0.0,), propensity=(0.5,))
    halves = data_of(altered(plain, samples=2 * samples))
    starts = np.random.default_rng(config.training.seed)
    found = {}
    for name in ("aligned", "any start"):
        train_rows, held_out = (_windows(rows, samples, None if name == "aligned" else starts) for rows in halves)
        events = train_path(plain, data=[(train_rows, held_out)])
        result = next(event.result for event in events if isinstance(event, RunFinished))
        assert result is not None
        if result.ite_rmse is not None:
            found[name] = float(result.ite_rmse[0])
        else:
            _, y0_hat, y1_hat = result.predict(held_out.x)
            found[name] = judged(np.where(held_out.t == 1, y1_hat, y0_hat)[0], held_out.y)[0]
    return found


def _windows(rows: MultiEnvData, samples: int, starts: np.random.Generator | None) -> MultiEnvData:
    """Rows whose traces are windows of `samples`, from the first sample on or from any of as many."""
    begin = np.zeros(len(rows), dtype=int) if starts is None else starts.integers(0, samples, len(rows))
    return replace(rows, x=np.take_along_axis(rows.x, begin[:, None] + np.arange(samples), axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--preset", default="hum-label")
    parser.add_argument("--seed", type=int, default=300)
    parser.add_argument("--set", nargs="+", default=[], metavar="PART.FIELD=VALUE", help="e.g. training.lams=0,1,10")
    options = parser.parse_args()
    changes = {name: value for _, name, value in map(read, options.set)}
    base = altered(preset(options.preset), **({"replicates": 1, "seed": options.seed, "device": "cpu"} | changes))
    train(altered(base, lams=(0.0,), epochs=1, n_samples=200))  # what is slow the first time
    found: dict[str, Any] = {}
    highest = []  # MB of the process, after each path
    for encoder in ENCODERS:
        found[encoder] = path(altered(base, encoder=encoder))
        highest.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    found["convolution_mb"] = highest[1] - highest[0]
    for encoder, one in ((name, found[name]) for name in ENCODERS):
        print(f"{encoder}: {one['seconds']:.1f} processor seconds; z alone allows {one['ceiling']:.3f}")
        for at, lam in enumerate(one["lams"]):
            shares = " ".join(f"{one['accuracy'][place][at]:.3f}" for place in PLACES)
            print(f"  λ {lam:7g}  {' / '.join(PLACES)}  {shares}  {one['status'][at]}")
    found["convolution_ratio"] = found["conv1d"]["seconds"] / found["mlp"]["seconds"]
    print(
        f"conv1d takes {found['convolution_ratio']:.2f} times the processor seconds of mlp, and "
        f"{found['convolution_mb']:.0f} MB more"
    )
    effects = altered(preset("filter"), seed=options.seed, device="cpu")
    for encoder in ENCODERS:
        of_labels, of_effects = (any_start(altered(config, encoder=encoder)) for config in (base, effects))
        found[encoder] |= {"labels": of_labels, "effects": of_effects}
        print(f"{encoder} without hum: right labels {of_labels}, effect error {of_effects}")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
