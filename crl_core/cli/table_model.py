"""The option `--export` of the command `table`: the network of the chosen λ as a file, its encoding of raw columns
inside."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crl_core.cli.export import write_model
from crl_core.cli.output import check_target, path_given
from crl_core.export.formats import FORMATS, format_of
from crl_core.measures.falsifiers import REFERENCE
from crl_core.results import RunResult
from crl_core.runs.temporary import check_temporary_folder

REPLICATE = 0  # of the fits, the one that is written: a file holds one network


def add_model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--export",
        type=path_given,
        metavar="FILE",
        help=f"write the first fit at the chosen λ, encoding inside: {_endings()}",
    )


def format_asked_for(options: argparse.Namespace) -> str | None:
    """The format by the file's ending, None where no file was asked for. Raises ValueError before a training."""
    if options.export is None:
        return None
    if options.look:
        raise ValueError("--export writes what was trained and --look does not train; give one of them.")
    ending = Path(options.export).suffix.removeprefix(".").lower()
    found = next((name for name, item in FORMATS.items() if item.suffix == ending), None)
    if found is None:
        raise ValueError(f"--export {options.export} has the ending of no format; end it in {_endings()}.")
    check_target(options.export, "--export")
    check_temporary_folder()
    return format_of(found).id


def model_written(result: RunResult, lam: float, name: str, target: str) -> dict[str, Any]:
    """Write the file; the JSON part "export"."""
    from crl_core.export.models import export_model, subject  # torch

    made = export_model(subject(result, lam, REPLICATE), name)
    write_model(Path(target), made)
    return {"format": name, "file": target, "bytes": len(made), "lam": lam, "replicate": REPLICATE}


def model_text(written: Mapping[str, Any]) -> str:
    """`model_written` for reading."""
    return (
        f"{FORMATS[written['format']].title} of λ = {written['lam']:g}, the first fit, is in {written['file']}, "
        f"{written['bytes'] / 1e3:.0f} kB; raw columns go in, as in this table. It holds the "
        f"columns' names, levels and ranges and at most {REFERENCE} held-out latents. The averages above are of "
        "all fits."
    )


def _endings() -> str:
    suffixes = [f".{suffix}" for suffix in dict.fromkeys(item.suffix for item in FORMATS.values())]
    return f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
