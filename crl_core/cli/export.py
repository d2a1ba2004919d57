"""The command `export`: one model of a stored run as a file for other programs, and what each format costs."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crl_core.cli.output import check_target, path_given, put, warn
from crl_core.cli.table import text_table
from crl_core.config.numbers import option
from crl_core.data.tables.private import ROWS_FILE, PrivateRows, take_over
from crl_core.data.user_files import place
from crl_core.export.formats import FORMATS, file_name, format_of, lacking
from crl_core.runs.sealing import disk_error, write_atomically
from crl_core.runs.store import RunStore
from crl_core.runs.temporary import check_temporary_folder

if TYPE_CHECKING:
    from crl_core.export.format_costs import FormatCost


def add_export_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    export = command("export", _export, "one λ of a stored run as TorchScript, torch.export or ONNX, float32 or int8")
    export.add_argument("key", metavar="KEY", help="of a stored run, or how it begins")
    export.add_argument("--lam", type=option("lams"), metavar="λ", help="the nearest of the run's; required")
    export.add_argument("--exact", action="store_true", help="refuse a λ that the run does not have")
    export.add_argument("--replicate", type=option(whole=True), default=0, metavar="R", help="default 0")
    export.add_argument("--format", default="onnx", metavar="F", help=f"one of {', '.join(FORMATS)}")
    export.add_argument("--out", type=path_given, metavar="FILE", help="default: named for run, λ and format, here")
    export.add_argument("--report", action="store_true", help="measure all formats; writes a file only with --out")
    export.add_argument(
        "--folder", type=path_given, metavar="DIR", help="with --report: write every format's file there"
    )


def _export(options: argparse.Namespace) -> int:
    name, writes = options.format, options.out is not None or not options.report
    if writes or name != "onnx":  # a report alone is of what can be made here
        format_of(name)
    check_target(options.out, "--out")
    if options.folder is not None and not Path(options.folder).is_dir():
        raise ValueError(f"--folder {options.folder} is no folder{place(options.folder)}; make it first.")
    store = RunStore()
    found = [key for key in dict.fromkeys(store.keys()) if options.key and key.startswith(options.key)]
    if len(found) > 1 and options.key not in found:
        raise ValueError(f"{len(found)} runs begin with {options.key}; type more of the key: {', '.join(found[:5])}.")
    key = options.key if options.key in found or not found else found[0]
    result = store.load(key)
    if isinstance(result.config.table, PrivateRows) and (handed := os.environ.get(ROWS_FILE)):
        take_over(result.config.table, Path(handed))
    grid = ", ".join(f"{lam:g}" for lam in result.lams)
    if options.lam is None:
        raise ValueError(f"say which λ with --lam; this run has {grid}.")
    other = not any(math.isclose(options.lam, lam, rel_tol=1e-6) for lam in result.lams)
    if other and options.exact:
        raise ValueError(f"this run has no λ = {options.lam:g}; give one that it has, {grid}, or leave --exact away.")
    from crl_core.export.format_costs import report
    from crl_core.export.models import export_model, subject

    made_of = subject(result, options.lam, options.replicate)
    lam = made_of.metadata["lam"]
    target = options.out or file_name(key, lam, name)
    if writes:
        check_target(target, "--out")
    check_temporary_folder()
    cautions = made_of.metadata["cautions"]
    content: dict[str, Any] = {"key": key, "lam": lam, "replicate": options.replicate, "cautions": cautions}
    text = []
    if options.report:

        def keep(each: str, made: bytes) -> None:
            if options.folder is not None:
                write_model(Path(options.folder) / file_name(key, lam, each), made)

        rows, files = report(made_of, written=keep)
        content["report"] = [row.to_dict() for row in rows]
        text.append(report_table(rows) + ("" if lacking() is None else f"\n{lacking()}"))
    if writes:
        made = files[name] if options.report else export_model(made_of, name)
        write_model(Path(target), made)
        content |= {"format": name, "file": target, "bytes": len(made)}
        text.append(f"{FORMATS[name].title} of λ = {lam:g} is in {target}{place(target)}, {len(made) / 1e3:.0f} kB.")
    put(options.json, content, lambda: "\n\n".join(text))
    taken = [f"the run has no λ = {options.lam:g}; the nearest, {lam:g}, was taken."] if other else []
    warn([*taken, *cautions])
    return 0


def write_model(target: Path, content: bytes) -> None:
    try:
        write_atomically(target, content)
    except OSError as error:
        raise disk_error(f"write the model to {target}{place(target)}", error, "give another with --out") from None


def report_table(rows: Sequence[FormatCost]) -> str:
    """The report as text: a line a format, latencies in microseconds."""
    lines = [
        (
            row.format,
            "" if row.bytes is None else f"{row.bytes / 1e3:.0f}",
            "" if row.ite_rmse is None else f"{row.ite_rmse:.4f}",
            f"{row.factual_mse:.4f}",
            f"{row.largest_difference:.1e}",
            *(f"{row.p50_us[batch]:.0f} / {row.p95_us[batch]:.0f} / {row.p99_us[batch]:.0f}" for batch in row.p50_us),
        )
        for row in rows
    ]
    header = ("format", "kB", "effect error", "factual error", "largest diff.", "1 row, µs", "1,024 rows, µs")
    return text_table(header, lines) + "\n\nHeld-out rows; latency p50 / p95 / p99 of one call, one thread."
