"""What a run will cost before it is started, judged by what runs have cost on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from crl_core.config import RunConfig
from crl_core.config.text import imagined
from crl_core.results import products_of
from crl_core.runs.records import RunSummary

RECENT = 5  # runs that the rate is taken from
# Seconds a unit of `work`, until a run has been measured: twice what one busy core of a small virtual machine took,
# so that the first surprise is a pleasant one.
DEFAULT_RATE = 8e-10
_STEP = 4e6  # work that a step costs however few models and rows it has: the calls themselves


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

    The rate is the median of the most recent runs that were trained on this machine and, as far as can be told, on the
    same device; `DEFAULT_RATE` before there is one. Runs that came from elsewhere do not count.

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
    """A measure of a run's arithmetic: parameters and kernel entries that each row of each model passes in all
    epochs, or steps."""
    training = config.training
    k = training.latent_dim
    rows = config.source.n_rows - config.source.n_held_out
    batch = min(training.batch_size, rows)
    parameters = products_of(config)
    kernel = batch * (k + 4)  # products of latents, and the exponential
    passed = training.epochs * rows if not training.steps else training.steps * batch
    steps = sum(training.steps_of_epochs(rows))
    return training.n_models * passed * (parameters + kernel) + _STEP * steps


def _rate(item: RunSummary) -> float:
    return item.seconds / work(item.config)


def duration(seconds: float) -> str:
    """ "8 s", "2 min", "1 h 10 min": as exact as an estimate deserves."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
