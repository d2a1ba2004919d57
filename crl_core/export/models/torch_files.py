"""TorchScript and torch.export: the small wall around what PyTorch calls deprecated.

PyTorch 2.13 marks `torch.jit` and `torch.ao.quantization` as deprecated; ONNX is the recommended way out of this
program. Nothing else imports them, so that when they go, this file goes with them.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from crl_core.export.formats import METADATA
from crl_core.export.models.network import Subject, metadata_text


@contextmanager
def _deprecations_expected() -> Iterator[None]:
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield


def torchscript(made_of: Subject, *, int8: bool) -> bytes:
    """A TorchScript archive; with `int8` the encoder's weights are int8 and its activations quantised as they come.

    The heads stay float: they turn a latent into an outcome, and an error there is an error of the effect. So do
    convolutions, which PyTorch does not quantise as they come: of such an encoder the last layer alone is int8.
    """
    network: nn.Module = made_of.network
    with _deprecations_expected():
        if int8:
            from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

            if torch.backends.quantized.engine == "none":
                raise ValueError("this build of PyTorch has no int8 engine; export onnx-int8 instead.")
            layers = {f"encoder.{at}": per_channel_dynamic_qconfig for at in (2, 4, 8)}  # the first layer is small
            network = quantize_dynamic(network, layers, dtype=torch.qint8)  # type: ignore[no-untyped-call]
        example = torch.zeros(2, len(made_of.metadata["features"]))
        traced = torch.jit.freeze(torch.jit.trace(network, example, check_trace=False))  # type: ignore[no-untyped-call]
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer, _extra_files={METADATA: metadata_text(made_of.metadata)})
    return buffer.getvalue()


def exported_program(made_of: Subject) -> bytes:
    """A `torch.export` program whose batch dimension is free."""
    example = torch.zeros(2, len(made_of.metadata["features"]))
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(made_of.network, (example,), dynamic_shapes={"x": {0: batch}})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names files of this machine
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA: metadata_text(made_of.metadata)})
    return buffer.getvalue()


def load_torch(content: bytes, *, script: bool) -> tuple[Any, dict[str, Any]]:
    """The callable and the metadata of an archive. Raises whatever torch does for a damaged one."""
    extra = {METADATA: ""}
    with _deprecations_expected():
        if script:
            network = torch.jit.load(io.BytesIO(content), map_location="cpu", _extra_files=extra)  # type: ignore[no-untyped-call]
        else:
            network = torch.export.load(io.BytesIO(content), extra_files=extra).module()
    return network, json.loads(extra[METADATA])


def run_torch(network: Any) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """NumPy in, NumPy out: rows [n, d] float32 -> y0, y1 [n], phi [n, k]."""

    def run(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with torch.inference_mode():
            y0, y1, phi = network(torch.from_numpy(np.ascontiguousarray(x)))
        return y0.numpy(), y1.numpy(), phi.numpy()

    return run


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread meanwhile, as a service of many requests runs it and as onnxruntime is set."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
