"""ONNX: float32, and static int8 calibrated on training rows."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crl_core.export.formats import METADATA, OUTPUTS
from crl_core.export.models.network import Subject, metadata_text

_CALIBRATION = 1000  # training rows
_BATCH = 100
_WORTH = 4096  # weights


def onnx_float(made_of: Subject) -> bytes:
    """An ONNX model, batch dimension free: x [batch, d] float32 -> y0, y1 [batch], phi [batch, k]."""
    return _with_metadata(_graph(made_of), made_of.metadata)


def onnx_int8(made_of: Subject) -> bytes:
    """The same with int8 in the encoder's large layers: weights one scale a channel, activations calibrated on training
    rows.

    That is the middle layer, and the last where it has `_WORTH` weights: quantising the input of a smaller one takes
    longer than its product; of a convolution, the second and the third, which meet their weights at many places. The
    first layer's input is unbounded, and an error in the heads is an error of the effect, so they stay float.

    A value beyond its calibrated range saturates, so far outside training rows outcomes flatten; see the file's feature
    ranges.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = _graph(made_of)
    products = [node.name for node in model.graph.node if node.op_type in ("Gemm", "MatMul", "Conv")]
    _, _, last, *_ = (weight.numel() for weight in made_of.network.parameters() if weight.dim() > 1)
    convolutions = any(node.op_type == "Conv" for node in model.graph.node)
    # In order: the encoder's first three, and further ones of the encoder and the heads.
    chosen = products[1 : 3 if convolutions or last >= _WORTH else 2]
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, plain)
        before = logging.root.level
        logging.root.setLevel(logging.ERROR)  # advice on preparing the model, which is done
        try:
            quantize_static(
                plain,
                small,
                _Rows(made_of.train.x),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                nodes_to_quantize=chosen,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={
                    "OpTypesToExcludeOutputQuantization": ["Gemm"]
                },  # ELU and the heads read floats: less rounding, fewer nodes
            )
        finally:
            logging.root.setLevel(before)
        quantised = onnx.load(small)
    return _with_metadata(quantised, made_of.metadata)


def _graph(made_of: Subject) -> Any:
    example = torch.zeros(2, len(made_of.metadata["features"]))
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(
        logging.ERROR
    )  # torchvision is not needed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            made_of.network,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["x"],
            output_names=list(OUTPUTS),
            dynamic_shapes={"x": {0: torch.export.Dim("batch", min=1)}},
            external_data=False,
        )
    assert program is not None
    model = program.model_proto
    for at, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{at}"
        del node.metadata_props[
            :
        ]  # where in the source a node comes from: as large as the weights, and names this machine
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    return model


def _with_metadata(model: Any, metadata: dict[str, Any]) -> bytes:
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, metadata_text(metadata)
    return bytes(model.SerializeToString())


class _Rows:
    """Calibration rows a batch at a time, as onnxruntime asks for them."""

    def __init__(self, x: np.ndarray) -> None:
        kept = x[np.unique(np.linspace(0, len(x) - 1, _CALIBRATION).astype(int))].astype(np.float32)
        self._left = [kept[at : at + _BATCH] for at in range(0, len(kept), _BATCH)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return {"x": self._left.pop()} if self._left else None
