"""The arrays of a run in a form that can be handed to strangers: `.npz` without pickles, and safetensors.

Reading trusts nothing: every name, dtype and shape must be the one that the run's config demands, and that is checked
on the raw header before an array is made. NumPy's own header parser is not used: it evaluates text as Python literals.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from crl_core.config import RunConfig
from crl_core.events import DIVERGED, STATUS_WORDS
from crl_core.measures.lam_choice import RULES
from crl_core.metrics import Metric, Place, kept_in
from crl_core.network import LINK, shapes
from crl_core.results import N_VIEW

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes
_HEADER = re.compile(
    rb"\{'descr': '([<|>=][a-zA-Z]\d*)', 'fortran_order': (False|True), 'shape': \(([\d, ]*)\), \} *\n"
)
_MAX_TEXT = 400  # characters of one string
_MAX_ROWS = 64  # baselines or rules
_LOG = 2.5  # bytes of a run's log to those of its curves: they are in it as text; 2.3 to 3.4 in the shipped runs


class BundleRefused(ValueError):
    """A file is not a bundle that can be imported. The text is a line for a person, `why` its reason; nothing was
    stored."""

    def __init__(self, sentence: str, why: str = "") -> None:
        super().__init__(sentence)
        self.why = why or sentence


def refuse(why: str) -> BundleRefused:
    sentence = f"This file cannot be imported: {why}. Nothing was stored; export the run again and send the whole file."
    return BundleRefused(sentence, why)


@dataclass(frozen=True, slots=True)
class Spec:
    """What an array must be. dtype "U" is text of any length up to a limit; a name in the shape is any small size.

    optional: a bundle may lack it.
    """

    dtype: str
    shape: tuple[int | str, ...]
    optional: bool = False

    @property
    def most_bytes(self) -> int:
        item = 4 * _MAX_TEXT if self.dtype == "U" else np.dtype(self.dtype).itemsize
        return item * int(np.prod([_MAX_ROWS if isinstance(size, str) else size for size in self.shape]))


Specs = Mapping[str, Spec]
_F8, _I8, _F4 = "<f8", "<i8", "<f4"


def weight_specs(config: RunConfig) -> Specs:
    """The networks' parameters."""
    training = config.training
    one = shapes(config.dim_x, training.hidden, training.latent_dim, training.encoder)
    link = {LINK: Spec(_F4, (training.n_models,))} if config.source.two_outcomes else {}
    return {name: Spec(_F4, (training.n_models, *shape)) for name, shape in one.items()} | link


def history_specs(config: RunConfig) -> Specs:
    """The curves, as `metric_specs`."""
    shape = (config.training.epochs, config.training.n_models)
    curves = {m.name: Spec(_F8, shape, m.late) for m in _known(config, "epoch")}
    return curves | {"status": Spec(_I8, shape)}


def metric_specs(config: RunConfig) -> Specs:
    """The arrays of a `RunResult`; those that need the true effects exactly where the config's source knows them."""
    models, by_env = (config.training.n_models,), (config.training.n_models, config.source.n_envs)
    return {
        "lam": Spec(_F8, models),
        **{m.name: Spec(_F8, models, m.late) for m in _known(config, "result")},
        **{f"{m.name}_by_env": Spec(_F8, by_env, m.late) for m in _known(config, "by_env")},
        **{name: Spec(_I8, models) for name in ("replicate", "status")},
    }


def _known(config: RunConfig, place: Place) -> list[Metric]:
    there: set[str | None] = {*config.source.knows, None}
    there |= {needed for needed, has in (("validation", config.training.validation), ("table", config.table)) if has}
    return [metric for metric in kept_in(place) if metric.needs in there]


def result_bytes(config: RunConfig) -> int:
    """About what a run takes on disk: its numbers and weights, which hardly compress, and its log."""
    metrics, history, weights = (
        sum(spec.most_bytes for spec in table.values())
        for table in (metric_specs(config), history_specs(config), weight_specs(config))
    )
    return metrics + weights + round(history * (1 + _LOG))


def evidence_specs(config: RunConfig) -> Specs:
    """As `evidence.gather` returns them; B baselines and K rules are counted by their names."""
    models, replicates = config.training.n_models, config.training.replicates
    there = [
        m
        for m in kept_in("evidence")
        if config.source.n_envs >= m.least_envs and (m.needs != "equations" or "equations" in config.source.knows)
    ]
    return {
        **{m.name: Spec(_F8, (models,), m.late) for m in there},
        **{f"x_{m.name}": Spec(_F8, (replicates,), m.late) for m in kept_in("of_inputs")},
        **{f"baseline_{m.name}": Spec(_F8, ("B", replicates), m.late) for m in kept_in("baseline")},
        "baseline_reason": Spec("U", ("B", replicates)),
        "baseline_names": Spec("U", ("B",)),
        "baseline_decay": Spec(_F8, (replicates,), optional=True),
        "rule_pick": Spec(_I8, ("K", replicates)),
        "rule_reason": Spec("U", ("K", replicates)),
        "rule_ids": Spec("U", ("K",)),
    }


def projection_specs(config: RunConfig) -> Specs:
    n_view = min(N_VIEW, config.source.n_held_out)
    return {
        "tsne_xy": Spec(_F4, (len(config.training.lams), n_view, 2)),
        "tsne_x": Spec(_F4, (n_view, 2)),
    }


# -- .npz --------------------------------------------------------------------------------------------------------------


def most_bytes(specs: Specs) -> int:
    """No file of these arrays is larger."""
    return sum(spec.most_bytes for spec in specs.values()) + 1000 * len(specs) + 100_000


def to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Bytes that `numpy.load(..., allow_pickle=False)` reads. Raises ValueError if an array holds objects."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), content.getvalue())
    return buffer.getvalue()


def from_npz(file: str, content: bytes, specs: Specs) -> dict[str, np.ndarray]:
    """The arrays of `to_npz`: those of `specs` and no other. Raises BundleRefused; zipfile's own errors go through."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        found = sorted(member.filename for member in members)
        expected = sorted(f"{name}.npy" for name, spec in specs.items() if f"{name}.npy" in found or not spec.optional)
        if found != expected:
            raise refuse(f"{file} does not hold the arrays {', '.join(sorted(specs))} and those alone")
        if any(m.compress_type != zipfile.ZIP_STORED or m.file_size > len(content) for m in members):
            raise refuse(f"an array in {file} is compressed, which a bundle's never is")
        sizes: dict[str, int] = {}
        arrays = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            arrays[name] = _array(f"{name} in {file}", archive.read(member), specs[name], sizes)
    return arrays


def _array(where: str, raw: bytes, spec: Spec, sizes: dict[str, int]) -> np.ndarray:
    start = 10 + int.from_bytes(raw[8:10], "little")
    header = _HEADER.fullmatch(raw[10:start])
    if raw[:8] != b"\x93NUMPY\x01\x00" or header is None:
        raise refuse(f"{where} is not a plain NumPy array")
    descr, order, shown = header[1].decode(), header[2], header[3].decode()
    if descr[1] == "O":
        raise refuse(f"{where} holds pickled Python objects, which are never opened")
    shape = tuple(int(size) for size in shown.replace(" ", "").split(",") if size)
    text = re.fullmatch(r"<U(\d{1,3})", descr) if spec.dtype == "U" else None
    right = (text is not None and 1 <= int(text[1]) <= _MAX_TEXT) if spec.dtype == "U" else descr == spec.dtype
    if not right or order != b"False" or len(shape) != len(spec.shape):
        raise refuse(f"{where} is {_shown(descr, shape)}; its config demands {_shown(spec.dtype, spec.shape)}")
    for size, wanted in zip(shape, spec.shape, strict=True):
        known = sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted
        if size != known or size > max(_MAX_ROWS, known if isinstance(wanted, int) else 0):
            raise refuse(f"{where} is {_shown(descr, shape)}; its config demands {_shown(spec.dtype, spec.shape)}")
    dtype = np.dtype(descr)
    if len(raw) - start != dtype.itemsize * int(np.prod(shape)):
        raise refuse(f"{where} has {len(raw) - start} bytes, which do not fill {_shown(descr, shape)}")
    values = np.frombuffer(raw, dtype, offset=start).reshape(shape).copy()
    if spec.dtype == "U":
        _check_text(where, values)
    return values


def _check_text(where: str, values: np.ndarray) -> None:
    points = values.view(np.uint32)
    if (points > 0x10FFFF).any() or not all(str(text).isprintable() and "<" not in str(text) for text in values.flat):
        raise refuse(f"{where} holds text that cannot be shown")


def _shown(dtype: str, shape: tuple[int | str, ...]) -> str:
    sizes = " × ".join(str(size)[:12] for size in shape[:4]) or "a single value"
    return f"{'text' if dtype == 'U' else dtype} of {sizes}"


# -- safetensors -------------------------------------------------------------------------------------------------------


def to_safetensors(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    from safetensors.numpy import save

    content: bytes = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        metadata=None if metadata is None else dict(metadata),
    )
    return content


def from_safetensors(file: str, content: bytes, specs: Specs) -> dict[str, np.ndarray]:
    """Inverse of `to_safetensors` for exactly `specs`. Raises BundleRefused."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, np.ndarray] = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise refuse(f"{file} is not a safetensors file ({error!s:.60})") from None
    if set(arrays) != set(specs):
        raise refuse(f"{file} does not hold the parameters {', '.join(specs)} and those alone")
    for name, spec in specs.items():
        array = arrays[name]
        if array.dtype != np.dtype(spec.dtype) or array.shape != spec.shape:
            raise refuse(
                f"{name} in {file} is {_shown(array.dtype.str, array.shape)}; "
                f"its config demands {_shown(spec.dtype, spec.shape)}"
            )
    return {name: arrays[name] for name in specs}


# -- values ------------------------------------------------------------------------------------------------------------


def check_values(
    config: RunConfig,
    metrics: Mapping[str, np.ndarray],
    history: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
) -> None:
    """Numbers that belong together do, and every model that is not diverged has numbers. Raises BundleRefused."""
    training = config.training
    if not (
        np.array_equal(metrics["lam"], np.tile(training.lams, training.replicates))
        and np.array_equal(metrics["replicate"], np.repeat(np.arange(training.replicates), len(training.lams)))
    ):
        raise refuse("its models are not those of its config")
    for name in (m.name for m in kept_in("epoch") if "result" in m.kept):
        if (name in metrics) != (name in history):
            raise refuse(f"{name} is in only one of metrics.npz and history.npz")
    for name in (m.name for m in kept_in("by_env")):
        if (name in metrics) != (f"{name}_by_env" in metrics):
            raise refuse(f"metrics.npz has only one of {name} and {name}_by_env")
    for where, status in (("metrics.npz", metrics["status"]), ("history.npz", history["status"])):
        if not np.isin(status, np.arange(len(STATUS_WORDS))).all():
            raise refuse(f"{where} has a status that is none of {', '.join(STATUS_WORDS)}")
    ends = _ends(history)
    for name, last in ((name, values[ends]) for name, values in history.items() if name in metrics):
        again = "validation_mse" in history  # evaluated once more, which a device need not repeat to the last bit
        if not np.allclose(last, metrics[name], rtol=1e-5 if again else 0, atol=0, equal_nan=True):
            where = "epoch of least validation error" if again else "last epoch"
            raise refuse(f"{name} at the {where} is not the final {name}")
    for name, values, broken in _by_status(metrics, history, weights):
        finite = np.isfinite(values)
        if not finite[~broken].all():
            raise refuse(f"{name} of a model that did not diverge is not a number")


def _ends(history: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The epoch that each model ends with, and the models, as an index into arrays [epochs, M]."""
    epochs, n_models = history["status"].shape
    if "validation_mse" not in history:
        return np.full(n_models, epochs - 1), np.arange(n_models)
    error = np.where(np.isfinite(history["validation_mse"]), history["validation_mse"], np.inf)
    return np.where(np.isfinite(error).any(axis=0), error.argmin(axis=0), epochs - 1), np.arange(n_models)


def _by_status(
    metrics: Mapping[str, np.ndarray], history: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Every array with the entries of its leading axes that belong to a diverged model."""
    final, along = metrics["status"] == DIVERGED, history["status"] == DIVERGED
    yield from ((name, values, final) for name, values in metrics.items())
    yield from ((f"{name} in history.npz", values, along) for name, values in history.items())
    yield from ((name, values, final) for name, values in weights.items())


def check_evidence(config: RunConfig, arrays: Mapping[str, np.ndarray]) -> None:
    """Raises BundleRefused if it is not about this program's baselines and rules, or a value is out of range."""
    from crl_core.measures.baselines import NAMES

    names: list[str] = arrays["baseline_names"].tolist()
    if not names or names != [name for name in NAMES if name in names]:  # an older run knows some of them only
        raise refuse(f"baseline_names in evidence.npz is not {', '.join(NAMES)}, or some of these in this order")
    if arrays["rule_ids"].tolist() != list(RULES):
        raise refuse(f"rule_ids in evidence.npz is not {', '.join(RULES)}")
    pick = arrays["rule_pick"]
    if ((pick < -1) | (pick >= len(config.training.lams))).any():
        raise refuse("rule_pick in evidence.npz names a λ that is not there")
    for name, values in arrays.items():
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise refuse(f"{name} in evidence.npz is infinite")


def check_projection(arrays: Mapping[str, np.ndarray]) -> None:
    """Raises BundleRefused unless every layout is there as a whole or left out as a whole."""
    finite = np.isfinite(arrays["tsne_xy"])
    left_out = np.isnan(arrays["tsne_xy"]).all(axis=(1, 2))
    if not (finite.all(axis=(1, 2)) | left_out).all() or not np.isfinite(arrays["tsne_x"]).all():
        raise refuse("a layout in projection.npz has points that are not numbers")
