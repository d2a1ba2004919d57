"""What a run will cost before it is started, judged by what runs have cost on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from crl_core.config import RunConfig, Training
from crl_core.config.run import BANDWIDTH_STEPS, BLOCK_ROWS, FREQUENCIES, PAIRS, SIMPLE_ROWS
from crl_core.config.text import imagined
from crl_core.results import N_MMD, products_of
from crl_core.runs.records import RunSummary

RECENT = 5  # runs that the rate is taken from
# How many times the seconds of `work` a run takes, until one has been measured here: so that the first surprise is a
# pleasant one.
DEFAULT_RATE = 1.5
# Seconds on two cores, fitted by least squares of the logarithm to 203 drawn configs (`benchmarks/growth.py` draws
# others): of a run, a replicate, a number of its rows, a pair of rows of which the nearest are looked for, a call of a
# step, a product, a unit's value, an entry of a kernel.
_RUN, _REPLICATE, _NUMBER, _PAIR, _CALL, _PRODUCT, _UNIT, _ENTRY = (
    0.0104, 0.0089, 1.3e-7, 2.1e-9, 1.9e-4, 2.0e-11, 1.8e-9, 1.2e-9,
)  # fmt: skip
_JUDGED = 1.5  # times a trained row's, the products of a row that is judged: in smaller parts, and kept in float64


def estimates(configs: Iterable[RunConfig], runs: Sequence[RunSummary]) -> list[float]:
    """`estimate_seconds` of many."""
    rates: dict[str, float] = {}
    found = []
    for config in configs:
        device, amount = config.training.device, work(config)
        if device not in rates:
            rates[device] = estimate_seconds(config, runs) / amount
        found.append(amount * rates[device])
    return found


def estimate_seconds(config: RunConfig, runs: Iterable[RunSummary]) -> float:
    """Seconds that training `config` will take here, without the parts that follow it.

    How many times the seconds of `work` it takes is the median of the most recent runs that were trained on this
    machine and, as far as can be told, on the same device; `DEFAULT_RATE` before there is one. Runs that came from
    elsewhere do not count.

    runs: the stored ones, newest first.
    """
    own = [item for item in runs if not item.baked and item.imported is None and item.seconds > 0]
    wanted = config.training.device
    if wanted == "auto" and own:
        wanted = own[0].device  # type: ignore[assignment]  # where auto led last time
    rates = [_rate(item) for item in own if item.device.split(":")[0] == wanted][:RECENT]
    return work(config) * (median(rates) if rates else DEFAULT_RATE)


SMALL_EPOCHS = 20


def smaller(config: RunConfig) -> RunConfig:
    """The same world and λ trained with one replicate and at most SMALL_EPOCHS epochs: for a look on a small
    machine. The config itself where that is not allowed."""
    return imagined(config, replicates=1, epochs=min(SMALL_EPOCHS, config.training.epochs)) or config


def work(config: RunConfig) -> float:
    """What training `config` takes on the machine that the constants are of, in seconds."""
    training, source = config.training, config.source
    rows = source.n_rows - source.n_held_out
    fitted = training.n_fitted(rows)
    batch = min(training.batch_size, fitted)
    steps = training.steps_of_epochs(fitted)
    models, groups = training.n_models, -(-training.n_models // training.models_at_once)
    passed = models * sum(steps) * (batch + (2 * PAIRS if training.penalty == "contrastive" else 0))
    judged = models * training.epochs * (source.n_held_out + round(training.validation * rows) + N_MMD)
    units = 3 * training.hidden + 2 * training.latent_dim + _OWN_UNITS.get(training.penalty, 0)
    if training.encoder == "conv1d":
        units += _CONVOLVED * config.dim_x
    measured = sum(-(-own // BANDWIDTH_STEPS) for own in steps) if training.bandwidth == "median" else 0
    among = training.bandwidth_rows(batch)
    kernels = 4 if training.penalty == "mmd-multi" else 1
    entries = models * sum(steps) * batch * kernels * entries_a_row(training, batch)
    entries += 2 * models * (measured * among**2 + training.epochs * N_MMD**2)  # sorted as well
    return (
        _RUN
        + _REPLICATE * training.replicates
        + _NUMBER * training.replicates * source.n_rows * config.dim_x
        + _PAIR * training.replicates * source.n_held_out * min(2 * SIMPLE_ROWS, rows)
        + _CALL * sum(steps) * groups * _CALLS.get(training.penalty, 1)
        + _PRODUCT * (passed + _JUDGED * judged) * products_of(config)
        + _UNIT * passed * units
        + _ENTRY * entries
    )


# Of a step, in those of MMD²; autograd, critics and projections take more.
_CALLS: Mapping[str, float] = {
    "adversarial": 9.8, "contrastive": 3.8, "coral": 5.7, "groupdro": 2.0, "irm": 2.5, "mmd-linear": 2.3, "vrex": 2.0,
    "wasserstein": 4.5,
}  # fmt: skip
_CONVOLVED = 6  # units' values for each sample of a row; beside the MLP it took 2.6 to 4.2 times as long
_OWN_UNITS: Mapping[str, int] = {"wasserstein": 360}  # its projections are sorted


def entries_a_row(training: Training, batch: int) -> int:
    """Entries of a kernel of the penalty for each row of a batch; none where it has no kernel."""
    if training.penalty not in ("mmd", "mmd-multi"):
        return 0
    return {"exact": batch, "rff": 4 * FREQUENCIES, "block": BLOCK_ROWS}[training.ipm_estimate]


def _rate(item: RunSummary) -> float:
    return item.seconds / work(item.config)


def duration(seconds: float) -> str:
    """ "8 s", "2 min", "1 h 10 min": as exact as an estimate deserves."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
