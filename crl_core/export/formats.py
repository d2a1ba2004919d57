"""The formats a model is exported in, in words and without torch, so that a page and the server can name them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

METADATA = "crl.json"  # where a file keeps what it is: an extra file of torch's archives, a property of ONNX
FORMAT_VERSION = 1
ORIGINAL = "pytorch"  # the network that all formats are compared with, run eagerly
OUTPUTS = ("y0", "y1", "phi")
NEEDED = ("onnx", "onnxruntime", "onnxscript")
INSTALL = "pip install -r requirements-serve.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of exported models.

    tolerance: largest difference of an outcome from float32 PyTorch, on training-like rows, in its standard deviations.
    """

    id: str
    title: str
    suffix: str
    says: str
    tolerance: float
    needs: tuple[str, ...] = ()


FORMATS = {
    item.id: item
    for item in (
        Format(
            id="onnx",
            title="ONNX",
            suffix="onnx",
            tolerance=1e-4,
            needs=NEEDED,
            says="float32; runs without PyTorch. The recommended one.",
        ),
        Format(
            id="onnx-int8",
            title="ONNX int8",
            suffix="onnx",
            tolerance=0.25,
            needs=NEEDED,
            says="static int8, calibrated on training rows. Beyond the training range it saturates.",
        ),
        Format(
            id="torch-export",
            title="torch.export",
            suffix="pt2",
            tolerance=1e-4,
            says="float32 program for PyTorch 2 and its compilers.",
        ),
        Format(
            id="torchscript",
            title="TorchScript",
            suffix="pt",
            tolerance=1e-4,
            says="float32; PyTorch calls TorchScript deprecated. For services that load nothing else.",
        ),
        Format(
            id="torchscript-int8",
            title="TorchScript int8",
            suffix="pt",
            tolerance=0.25,
            says="dynamic int8; PyTorch calls both TorchScript and this quantisation deprecated.",
        ),
    )
}


def format_of(name: str) -> Format:
    """The format called `name`. Raises ValueError if there is none, or what it needs is not installed."""
    if name not in FORMATS:
        raise ValueError(f"format is {name!s:.40}; it must be one of {', '.join(FORMATS)}.")
    if missing := _missing(FORMATS[name]):
        raise ValueError(f"{name} needs {', '.join(missing)}, not installed here: {INSTALL}.")
    return FORMATS[name]


def available() -> tuple[str, ...]:
    """Formats whose packages are installed here."""
    return tuple(name for name, item in FORMATS.items() if not _missing(item))


def lacking() -> str | None:
    """A sentence on the formats that cannot be made here and what they need; None where all can."""
    left = [item for item in FORMATS.values() if _missing(item)]
    if not left:
        return None
    packages = dict.fromkeys(name for item in left for name in _missing(item))
    return f"{' and '.join(item.title for item in left)} need {', '.join(packages)}, not installed here: {INSTALL}."


def _missing(item: Format) -> list[str]:
    return [package for package in item.needs if find_spec(package) is None]


def file_name(key: str, lam: float, name: str) -> str:
    """What an exported file is called."""
    return f"crl-{key}-lambda-{lam:g}-{name}.{FORMATS[name].suffix}"
