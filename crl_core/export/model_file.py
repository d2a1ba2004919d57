"""An exported file opened again: rows in, outcomes and latents out. An ONNX file is run without torch."""

from __future__ import annotations

import base64
import io
import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.data.user_files import expanded, irregular, place
from crl_core.export.formats import INSTALL, METADATA, OUTPUTS
from crl_core.runs.temporary import culprit

Outputs = tuple[np.ndarray, np.ndarray, np.ndarray]  # y0 [n], y1 [n], phi [n, k], float32
MOST_BYTES = 64_000_000


class ModelRefused(ValueError):
    """The file is no model that this program exported; the message gives the fault and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """An opened file. `run` takes [n, d] float32, n >= 1."""

    metadata: dict[str, Any]
    run: Callable[[np.ndarray], Outputs]
    reference: np.ndarray  # held-out latents [m, k] that stand for training
    environment: np.ndarray  # of them, [m] int
    features: tuple[str, ...]
    lam: float
    name: str  # key and format: which file this is
    trace: str  # what a row of samples is; "" where rows are covariates
    cautions: tuple[str, ...]  # what it, or its run, lacks as a whole; files of older programs say nothing


def open_model(file: str | Path) -> Model:
    """Open a file that `python -m crl_core export` has written.

    Raises: ModelRefused if it cannot be read, is damaged, is of another program, or needs what is not installed.
    """
    path = Path(expanded(str(file)))
    try:
        if (kind := irregular(path)) is not None:
            raise ModelRefused(f"{str(file)!s:.200} is {kind}, whose end nobody knows; give the file of a model.")
        if path.stat().st_size > MOST_BYTES:
            raise ModelRefused(
                f"{path.name} has {path.stat().st_size / 1e6:.0f} MB; a model has at most {MOST_BYTES / 1e6:.0f} MB."
            )
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, ModelRefused):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ModelRefused(
            f"{str(file)!s:.200} cannot be read{place(path)} ({reason}); give a file that `python -m crl_core "
            "export` wrote."
        ) from None
    return read_model(content, path.name)


def read_model(content: bytes, name: str) -> Model:
    """As `open_model`, of a file's bytes. A damaged file is refused here: one forward pass is made.

    name: of the file, for messages.
    """
    try:
        run, metadata = _opened(content)
        model = _described(run, metadata)
        y0, y1, phi = run(np.zeros((2, len(model.features)), np.float32))
        if y0.shape != (2,) or y1.shape != (2,) or phi.shape != (2, model.reference.shape[1]):
            raise ValueError("its outputs have other shapes than it says")
    except ModelRefused:
        raise
    except MemoryError:
        raise ModelRefused(f"{name} cannot be opened: the memory does not suffice.") from None
    except ImportError as error:
        raise ModelRefused(f"{name} needs {error.name}, not installed here: {INSTALL}.") from None
    except Exception as error:  # onnxruntime and torch raise classes of their own for damaged bytes
        if (found := culprit(error)) is not None:
            raise ModelRefused(f"{name} cannot be opened. {found}") from None
        reason = " ".join(str(error).split())[:80]
        raise ModelRefused(
            f"{name} is damaged or not a model of this program ({reason}); export it again with `python -m crl_core "
            f"export`."
        ) from None
    return model


def _opened(content: bytes) -> tuple[Callable[[np.ndarray], Outputs], dict[str, Any]]:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return _onnx(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"{damaged} differs from its checksum")
        script = any("/code/" in member for member in archive.namelist())
    from crl_core.export.models.torch_files import load_torch, run_torch

    network, metadata = load_torch(content, script=script)
    return run_torch(network), metadata


def _onnx(content: bytes) -> tuple[Callable[[np.ndarray], Outputs], dict[str, Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the network is small: a second thread costs more than it brings
    options.log_severity_level = 4
    # Buffers of a kilobyte are had as fast from the system, and one node that splits the outcomes costs more than two
    # that pick them.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    session = onnxruntime.InferenceSession(
        content,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["GatherSliceToSplitFusion"],
    )
    names = list(OUTPUTS)

    def run(x: np.ndarray) -> Outputs:
        y0, y1, phi = session.run(names, {"x": x})
        return y0, y1, phi

    return run, json.loads(session.get_modelmeta().custom_metadata_map[METADATA])


def _described(run: Callable[[np.ndarray], Outputs], metadata: dict[str, Any]) -> Model:
    kept = metadata["reference"]
    reference = np.frombuffer(base64.b64decode(kept["float32"]), "<f4").reshape(kept["shape"])
    environment = np.asarray(kept["environment"], dtype=np.int64)
    if len(environment) != len(reference) or not math.isfinite(metadata["lam"]):
        raise ValueError("its metadata contradict one another")
    return Model(
        metadata=metadata,
        run=run,
        reference=reference,
        environment=environment,
        features=tuple(item["name"] for item in metadata["features"]),
        lam=float(metadata["lam"]),
        name=f"{metadata['key']} {metadata['format']}",
        trace=str(metadata.get("trace", "")),
        cautions=tuple(map(str, metadata.get("cautions", ()))),
    )
