"""A stored model as a file for other programs: TorchScript, torch.export and ONNX, float32 and int8."""

from __future__ import annotations

from collections.abc import Callable

from crl_core.export.formats import format_of
from crl_core.export.models.network import Network, Subject, subject
from crl_core.export.models.onnx_files import onnx_float, onnx_int8
from crl_core.export.models.torch_files import exported_program, torchscript

_MAKERS: dict[str, Callable[[Subject], bytes]] = {
    "onnx": onnx_float,
    "onnx-int8": onnx_int8,
    "torch-export": exported_program,
    "torchscript": lambda made_of: torchscript(made_of, int8=False),
    "torchscript-int8": lambda made_of: torchscript(made_of, int8=True),
}


def export_model(made_of: Subject, name: str) -> bytes:
    """The file of one format. Raises ValueError for a format that is none, or whose packages are not installed."""
    made_of.metadata["format"] = format_of(name).id
    return _MAKERS[name](made_of)


__all__ = ["Network", "Subject", "export_model", "subject"]
