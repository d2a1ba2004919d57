"""What a run is: a frozen, validated `RunConfig` whose hash is the run's key, and every limit on what may be asked for.

Rules:   a config holds scalars and tuples only, so it hashes, compares and round-trips through JSON.
Key:     SHA-256 of the canonical JSON plus `RECIPE_VERSION`; 1 and 1.0, list and tuple give the same key.
         The device is left out: it says where a run is computed, not what it computes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal

from crl_core.data.fields import About, about_of, checked, described, known_fields, plain, shown
from crl_core.data.on_disk import lies_on_disk
from crl_core.data.scenario import MAX_ENVS as MAX_ENVS
from crl_core.data.scenario import PER_ENV as PER_ENV
from crl_core.data.scenario import Scenario as Scenario
from crl_core.data.scm import Align as Align
from crl_core.data.scm import Matching as Matching
from crl_core.data.source import Source, source_of
from crl_core.data.tables import private as _private  # noqa: F401  both read tables from a config
from crl_core.data.tables import source as _tables  # noqa: F401

RECIPE_VERSION = 2  # raise when the numbers that a config yields change, evidence included; keys change with it
CONFIG_VERSION = 1  # raise when the JSON form of a config changes

Penalty = Literal[
    "mmd",
    "mmd-multi",
    "mmd-linear",
    "coral",
    "wasserstein",
    "adversarial",
    "irm",
    "vrex",
    "groupdro",
    "contrastive",
]
ArmWeight = Literal["balanced", "plain"]
IpmEstimate = Literal["exact", "rff", "block"]
Resample = Literal["none", "bootstrap"]
XScale = Literal["auto", "columns", "whole"]
EncoderName = Literal["mlp", "conv1d"]
Device = Literal["auto", "cuda", "mps", "cpu"]
Bandwidth = float | Literal["median"]

# 0 and 15 log-spaced values from 1e-4 to 100, written with two digits so that a λ can be said aloud.
DEFAULT_LAMS = (
    0.0, 0.0001, 0.00027, 0.00072, 0.0019, 0.0052, 0.014, 0.037, 0.1, 0.27, 0.72, 1.9, 5.2, 14.0, 37.0, 100.0,
)  # fmt: skip

BANDWIDTH_STEPS = 20  # the median moves slowly; taking it at each step would cost as much as the network
FREQUENCIES = 256  # of random Fourier features; each gives two
BLOCK_ROWS = 128  # of the block estimator
PAIRS = 32  # of the contrastive penalty, in a step
SIMPLE_ROWS = 2000  # of an arm, that the regressions see at most by which a collapse is known (`training.collapse`)
MAX_MODELS = 320
MAX_QUEUE = 20  # runs that may wait for the worker at a time
MAX_MODEL_SAMPLES = 2_000_000_000  # models × epochs × rows: an hour on slow cores, 20 minutes on those of the README
BATCHED_STEPS = 64  # whose rows are gathered at once, at most;
BATCHED_NUMBERS = 8_000_000  # and how many numbers of x these come to, those of all models counted
GROUP_MODELS = 24  # on a processor, more models at once no longer fit its cache
CONVOLVED = 4  # what a convolution counts for in `MAX_MODEL_SAMPLES`: it takes 2.5 to 4 times as long
KEPT_A_SAMPLE = 10  # numbers that it keeps, for each sample of a row, until the gradient of a batch is taken
MAX_CONVOLVED = 50_000_000  # of these in all models at once: 200 MB
N_LAMS = (1, 32)
FIRST_SEED = 100  # of every study: presets, thresholds and defaults were looked at on seeds 0 to 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the λ path of CFRNets is trained: M = len(lams) × replicates models in one batched ensemble.

    Replicate r uses seed + r for its data, split, initial weights and minibatch order; all λ of a replicate share them.
    Raises: ValueError naming the field, the value and the allowed range.
    """

    lams: tuple[float, ...] = described(DEFAULT_LAMS, "λ grid", "Ascending, without repeats.", (0.0, 1_000_000.0))
    replicates: int = described(  # 3 is the smallest number that shows a spread
        3,
        "replicates",
        "The whole path again with other data and other initial weights; bands show their spread.",
        (1, 20),
    )
    epochs: int = described(50, "epochs", "Passes over the training rows.", (1, 1000))
    batch_size: int = described(128, "batch size", "Rows in a gradient step.", (8, 4096))
    learning_rate: float = described(1e-3, "learning rate", "Step size of Adam.", (1e-6, 1.0))
    hidden: int = described(
        64,
        "hidden units",
        "Units of a layer of the encoder mlp; a head has half as many. conv1d has channels of its own: there it is the "
        "heads alone.",
        (4, 512),
    )
    latent_dim: int = described(16, "latent dimensions", "Dimensions of the representation φ.", (2, 128))
    penalty: Penalty = described("mmd", "penalty", "What is made small, besides the factual error.", options=Penalty)
    align: Align = described(  # "treatment" penalises φ(t=0) against φ(t=1), as Shalit et al. (2017) do
        "environment",
        "aligned groups",
        "What the penalty pulls together: the environments, or treated and untreated units.",
        options=Align,
    )
    bandwidth: Bandwidth = described(
        "median",
        "bandwidth",
        "Width of the penalty's kernel; “median”: the median distance between rows.",
        (1e-3, 1e3),
        options=Literal["median"],
    )
    matching: Matching = described(
        "shared", "matching", "Which rows are a pair for the contrastive penalty.", options=Matching, before="shared"
    )
    balanced: bool = described(
        False, "balanced batches", "Whether every batch holds as many rows of each group.", before=False
    )
    standardise: bool = described(
        True,
        "standardised",
        "Whether the network is given covariates and outcome with mean 0 and standard deviation 1 over the training "
        "rows; λ is then measured in units of the outcome's variance.",
        before=False,
    )
    weight_decay: float = described(
        0.0, "weight decay", "Added to the gradient, times each weight (L2).", (0.0, 10.0), before=0.0
    )
    x_scale: XScale = described(
        "auto",
        "scale of x",
        "What is standardised: each column by itself, or all numbers of a row by one mean and one standard deviation; "
        "auto: a trace as a whole, so that its flat parts are not blown up, else by columns.",
        options=XScale,
        before="auto",
    )
    encoder: EncoderName = described(
        "mlp",
        "encoder",
        "Of signals: mlp weighs each sample by itself, conv1d slides over them.",
        options=EncoderName,
        before="mlp",
    )
    arm_weight: ArmWeight = described(
        "balanced",
        "arm weights",
        "Whether both arms count alike in the loss, or all rows do; the same where arms are of one size.",
        options=ArmWeight,
        before="balanced",
    )
    steps: int = described(
        0,
        "gradient steps",
        "In all, shared out among the epochs, one at least to each; 0: an epoch is a pass over the rows.",
        (0, 100_000),
        before=0,
    )
    validation: float = described(
        0.0,
        "validation share",
        "Of the training rows, that choose when to stop and are not trained on; 0: the last epoch counts.",
        (0.0, 0.5),
        before=0.0,
    )
    resample: Resample = described(
        "none",
        "resampling",
        "Whether each replicate trains on rows drawn again with replacement, within environment and arm.",
        options=Resample,
        before="none",
    )
    ipm_estimate: IpmEstimate = described(
        "exact",
        "estimate of MMD²",
        "Of the penalty: exact compares every pair of a batch's rows; rff (512 random Fourier features, drawn anew at "
        "every step) and block (the mean over blocks of 128 rows) cost linearly in the batch.",
        options=IpmEstimate,
        before="exact",
    )
    seed: int = described(0, "seed", "Determines data, split, initial weights and batches.", (0, 2**31 - 1))
    device: Device = described("auto", "device", "Where it is computed; changes no key.", options=Device)

    def __post_init__(self) -> None:
        put = object.__setattr__
        for item in fields(self):
            put(self, item.name, checked(item, getattr(self, item.name)))
        if not N_LAMS[0] <= len(self.lams) <= N_LAMS[1]:
            n = len(self.lams)
            raise ValueError(f"lams has {n} values; give {N_LAMS[0]} to {N_LAMS[1]}, e.g. (0.0, 0.1, 1.0).")
        put(self, "lams", tuple(sorted(set(self.lams))))
        if self.n_models > MAX_MODELS:
            raise ValueError(
                f"{len(self.lams)} λ × {self.replicates} replicates are {self.n_models} models; at most {MAX_MODELS} "
                f"fit. "
                "Use fewer replicates."
            )

    @property
    def n_models(self) -> int:
        return len(self.lams) * self.replicates

    @property
    def models_at_once(self) -> int:
        """Models that a processor trains together: whole replicates, one at least."""
        return len(self.lams) * min(self.replicates, max(1, GROUP_MODELS // len(self.lams)))

    def bandwidth_rows(self, batch: int) -> int:
        """Rows of a batch of so many that the median bandwidth is taken of."""
        return batch if self.ipm_estimate == "exact" else min(batch, BLOCK_ROWS)

    def n_fitted(self, n_train: int) -> int:
        """Rows that the networks are fitted to, of so many that may be trained on; the others choose the epoch."""
        return n_train if self.resample == "bootstrap" else n_train - round(self.validation * n_train)

    def steps_of_epochs(self, n_train: int) -> list[int]:
        """Gradient steps of each epoch, where that many rows are trained on."""
        if self.steps == 0:
            return [n_train // min(self.batch_size, n_train)] * self.epochs
        ends = [self.steps * (epoch + 1) // self.epochs for epoch in range(self.epochs)]
        return [max(1, end - start) for start, end in zip([0, *ends], ends, strict=False)]


PARTS: Mapping[Literal["scenario", "training"], type] = {"scenario": Scenario, "training": Training}
ABOUT: Mapping[str, About] = {item.name: about_of(item) for part in PARTS.values() for item in fields(part)}
LIMITS: Mapping[str, tuple[float, float]] = {name: about.limits for name, about in ABOUT.items() if about.limits}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that determines a run. Same config, same `key`, same result.

    Rows come from a scenario or from a table, never both; who merely needs rows, or their number and shape, asks
    `source`. Raises: ValueError with one sentence.
    """

    # None for a table, and typed as if it never were: who asks for an equation has looked whether there are any
    # ("equations" in `source.knows`), and `| None` would only put an assert beside each of these questions.
    scenario: Scenario = None  # type: ignore[assignment]
    training: Training
    table: Source | None = None

    def __post_init__(self) -> None:
        training = self.training
        if (self.scenario is None) == (self.table is None):
            has = "neither" if self.table is None else "both"
            raise ValueError(f"a run's rows come from a scenario or from a table; this config has {has}, give one.")
        alone = training.penalty == "contrastive" and training.matching == "shared" and self.table is None
        if alone and not self.scenario.shared_units:
            raise ValueError(
                "the contrastive penalty pulls pairs together, and this world has no shared units to make pairs of; "
                "set scenario.shared_units to 32, say, or training.matching to oracle or rank."
            )
        if training.align == "environment within outcome":
            if not self.source.two_outcomes:
                raise ValueError(
                    "environments are aligned within an outcome that has two values, and this one is a number; set "
                    "training.align to environment or treatment."
                )
            if training.penalty != "mmd":
                raise ValueError(
                    f"the penalty {training.penalty} aligns no environments within the outcome; set training.penalty "
                    "to mmd, or training.align to environment."
                )
        if training.ipm_estimate != "exact" and training.penalty != "mmd":
            raise ValueError(
                f"ipm_estimate is {training.ipm_estimate}, which estimates the penalty mmd, and the penalty is "
                f"{training.penalty}; set training.penalty to mmd, or training.ipm_estimate to exact."
            )
        if training.encoder == "conv1d":
            self._check_convolution()
        epochs, n_rows = training.epochs, self.source.n_rows
        work = training.n_models * epochs * n_rows
        asked = f"{epochs} epochs × {n_rows} samples"
        if training.steps:
            batch = min(training.batch_size, n_rows)
            work = max(work, training.n_models * max(training.steps, epochs) * batch)
            asked = f"{training.steps} steps of {batch} rows, judged {epochs} times on {n_rows} samples,"
        if training.encoder == "conv1d":
            work *= CONVOLVED
            asked = f"{asked.removesuffix(',')}, counted {CONVOLVED} times for a convolution,"
        if work > MAX_MODEL_SAMPLES:
            raise ValueError(
                f"{training.n_models} models × {asked} is {work / MAX_MODEL_SAMPLES:.1f} times what one run may ask "
                f"for. Use fewer {'steps, ' if training.steps else ''}epochs, samples or replicates."
            )

    def _check_convolution(self) -> None:
        training = self.training
        if not self.of_signals:
            raise ValueError(
                "the encoder conv1d slides over the samples of a signal, and x is columns here; set "
                "training.encoder to mlp, or scenario.observation to ecg."
            )
        if training.x_scale == "columns":
            raise ValueError(
                "x_scale is columns; the encoder conv1d meets every sample with the same kernel, so set "
                "training.x_scale to auto or whole."
            )
        batch = min(training.batch_size, self.source.n_rows - self.source.n_held_out)
        kept = KEPT_A_SAMPLE * self.dim_x * batch * training.models_at_once
        if kept > MAX_CONVOLVED:
            raise ValueError(
                f"a convolution keeps {kept / 1e6:.0f} million numbers of a batch of {batch} rows for "
                f"{training.models_at_once} models at once, and {MAX_CONVOLVED / 1e6:.0f} fit; use a smaller batch, or "
                "fewer λ."
            )

    @property
    def source(self) -> Source:
        """Where the rows come from."""
        return self.scenario if self.table is None else self.table

    @property
    def on_disk(self) -> bool:
        """Whether its rows are kept `data.on_disk`: those of a large world. A table's never, as they may be private."""
        return self.table is None and lies_on_disk(self.scenario.n_samples)

    @property
    def of_signals(self) -> bool:
        """Whether a row's x is a signal: samples in the order of time."""
        if self.scenario is not None:
            return self.scenario.observation == "ecg"
        return len(self.source.signal) == self.dim_x

    @property
    def scaled_together(self) -> tuple[int, ...]:
        """Places of a row's numbers that are standardised by one mean and one standard deviation, as those of a trace
        are; each of the others has its own."""
        if self.training.x_scale == "columns":
            return ()
        return tuple(range(self.dim_x)) if self.training.x_scale == "whole" else self.source.signal

    @property
    def one_scale(self) -> bool:
        """Whether all of a row's numbers are `scaled_together`."""
        return len(self.scaled_together) == self.dim_x

    @property
    def without_effect(self) -> bool:
        """Whether the outcome is a label that treatment has no part in, so that it is predicted and nothing more."""
        return self.source.two_outcomes and "equations" in self.source.knows

    @property
    def dim_x(self) -> int:
        """Numbers in a row's x, as the network takes them."""
        return math.prod(self.source.x_shape)

    @property
    def key(self) -> str:
        """16 hexadecimal digits, the same in every process and on every platform."""
        return self.key_in(RECIPE_VERSION)

    def key_in(self, recipe_version: int) -> str:
        """The key that this config has, or had, under a version of the recipe."""
        worked_out = _worked_out_key if self.table is not None else _remembered_key
        return worked_out(self, recipe_version)

    def what_counts(self) -> dict[str, Any]:
        """`to_dict` without what changes no number: the device, and a table's label."""
        content = self.to_dict()
        del content["training"]["device"]
        content.get("table", {}).pop("label", None)
        return content

    def to_dict(self) -> dict[str, Any]:
        return {
            "config_version": CONFIG_VERSION,
            ("scenario" if self.table is None else "table"): self.source.to_dict(),
            "training": plain(self.training),
        }

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.to_dict(), indent=indent, sort_keys=True)

    @classmethod
    def from_dict(cls, content: Any) -> RunConfig:
        """Inverse of `to_dict`; a missing field takes its default. Raises ValueError with one clear sentence.

        In a config that carries its version, as `to_dict` writes it, a young field that is missing stands as before it
        was there.
        """
        content = known_fields("the config", content, {"config_version", "scenario", "table", "training"})
        version = content.get("config_version", CONFIG_VERSION)
        if version != CONFIG_VERSION:
            raise ValueError(
                f"the config has version {shown(version)}; this program reads version {CONFIG_VERSION}. "
                "Update the program, or save the config again with this one."
            )
        read: dict[str, Any] = {"table": source_of(content["table"])} if "table" in content else {}
        for name, kind in PARTS.items():
            if name in content or name == "training" or not read:
                known = known_fields(name, content.get(name, {}), {item.name for item in fields(kind)})
                before = {item.name: about_of(item).before for item in fields(kind) if about_of(item).young}
                read[name] = kind(**(before if "config_version" in content else {}) | known)
        return cls(**read)

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        try:
            content = json.loads(text.removeprefix("\ufeff"))  # the byte-order mark of a file read as UTF-8
        except ValueError as error:
            raise ValueError(f"the config is not JSON ({error}); give what `RunConfig.to_json` wrote.") from None
        return cls.from_dict(content)


def _worked_out_key(config: RunConfig, recipe_version: int) -> str:
    content = config.what_counts() | {"recipe_version": recipe_version}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


# A view of a page asks for sixty. None of a table's: what is remembered would hold rows that were to be forgotten.
_remembered_key = lru_cache(maxsize=4096)(_worked_out_key)
