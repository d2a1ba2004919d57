"""What the command line shows: readable tables, a progress bar, and the same content for JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO

import numpy as np

from crl_core.config.text import nearest
from crl_core.events import OK, STATUS_WORDS, EpochEnded, Event, RunFinished, RunStarted
from crl_core.measures.baselines import Baseline, medians
from crl_core.measures.cautions import cautions_before, cautions_of
from crl_core.metrics import LISTED, kept_in
from crl_core.results import RunResult
from crl_core.runs.labels import Label
from crl_core.runs.library import Usage
from crl_core.runs.store import RunSummary

_BAR = 24  # characters


def run_content(result: RunResult, *, cached: bool, evidence: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    """The JSON of `train --json`. All metrics are held out; those of the evidence, and baselines (medians over
    replicates), are there where it is."""
    names = [n for m in result.kept for n in (m.name, *([f"{m.name}_by_env"] if "by_env" in m.kept else []))]
    columns = {name: getattr(result, name) for name in names}
    columns |= {m.name: getattr(result, m.name) for m in kept_in("derived")}
    columns |= {m.name: evidence[m.name] for m in kept_in("evidence") if evidence and m.name in evidence}
    models = [
        {
            "lam": float(result.lam[m]),
            "replicate": int(result.replicate[m]),
            "status": STATUS_WORDS[int(result.status[m])],
            **{name: None if values is None else values[m].tolist() for name, values in columns.items()},
        }
        for m in range(len(result.lam))
    ]
    return {
        "key": result.config.key,
        "config": result.config.to_dict(),
        "device": result.device,
        "seconds": result.seconds,
        "cached": cached,
        "models": models,
        "cautions": list(cautions_of(result)),
        "baselines": [] if evidence is None else [_baseline_content(item) for item in medians(evidence)],
    }


def _baseline_content(item: Baseline) -> dict[str, Any]:
    figures = {name: getattr(item, name) for name in ("ite_rmse", "factual_mse", "ate_error")}
    return {"name": item.name, **figures} | ({"reason": item.reason} if item.reason else {})


def summary_content(item: RunSummary) -> dict[str, Any]:
    """A line of `runs list --json`; the figures are medians over replicates, one a λ."""
    return {
        "key": item.key,
        **item.label.to_dict(),
        "preset": item.preset_id,
        "changes": [str(change) for change in nearest(item.config)[1]],
        "recipe_version": item.recipe_version,
        "imported": item.imported,
        "created": item.created,
        "seconds": item.seconds,
        "device": item.device,
        "bytes": item.bytes,
        "parts": item.parts,
        "pinned": item.pinned,
        "baked": item.baked,
        "outdated": item.outdated,
        "lams": item.lams,
        **item.figures,
        "config": item.config.to_dict(),
    }


def run_table(result: RunResult, *, cached: bool) -> str:
    """One line a λ: medians over replicates, with the smallest and the largest where there are several."""
    training = result.config.training
    head = (
        f"run {result.config.key}: {len(training.lams)} λ × {training.replicates} replicates, {training.epochs} "
        f"epochs, {result.seconds:.1f} s on {result.device}{', from the cache' if cached else ''}"
    )
    listed = [(metric.word, getattr(result, metric.name)) for metric in LISTED]
    columns = [(word, None if values is None else result.by_lam(values)) for word, values in listed]
    status = result.by_lam(result.status)
    best = None if cautions_before(result.config) else _least(columns[0][1])  # no success where nothing is learnt
    lines = []
    for index, lam in enumerate(training.lams):
        broken = [STATUS_WORDS[int(code)] for code in status[:, index] if code != OK]
        notes = ["least effect error"] if index == best and len(training.lams) > 1 else []
        notes += [f"{broken.count(word)} of {len(status)} {word}" for word in dict.fromkeys(broken)]
        lines.append(
            (
                f"{lam:g}",
                *("unknown" if values is None else _spread(values[:, index]) for _, values in columns),
                "; ".join(notes),
            )
        )
    rows = text_table(("λ", *(word for word, _ in columns), ""), lines)
    return "\n\n".join((head, rows, f"held-out data; {_kind(training.replicates)}"))


def _shown(item: RunSummary) -> str:
    """What a run is: its name, or its preset and what differs from it; and its tags."""
    preset_id, changed = nearest(item.config)
    more = f" +{len(changed)}" if changed else ""
    return " ".join([item.label.name or preset_id + more, *(f"#{tag}" for tag in item.label.tags)])


def label_line(label: Label) -> str:
    """What is written on a run, in a line."""
    parts = [f"“{label.name}”" if label.name else "no name", " ".join(f"#{tag}" for tag in label.tags)]
    return ", ".join(part for part in (*parts, " ".join(label.note.split())) if part)


def usage_line(usage: Usage) -> str:
    """How full the store is."""
    return f"{usage.n_runs} runs; own ones take {usage.bytes / 1e6:.1f} MB of {usage.quota_bytes / 1e6:.0f} MB."


def runs_table(found: Sequence[RunSummary]) -> str:
    if not found:
        return "No runs are stored yet."
    lines = []
    for item in found:
        best = item.best()
        marks = [
            word for word, true in (("pinned", item.pinned), ("baked", item.baked), ("outdated", item.outdated)) if true
        ]
        marks += [] if item.finite else ["no figures: every model diverged"]
        lines.append(
            (
                item.key,
                _shown(item),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(item.created)),
                f"{len(item.lams)} × {item.config.training.replicates}",
                str(item.config.training.epochs),
                "unknown" if best is None else f"{best[1]:.3g} at λ = {best[0]:g}",
                f"{item.seconds:.1f} s",
                f"{item.bytes / 1e6:.1f} MB",
                " ".join(marks),
            )
        )
    return text_table(
        ("key", "run", "created", "models", "epochs", "least effect error", "training", "size", ""), lines
    )


def integrity(n_intact: int, damaged: Sequence[str]) -> str:
    if not damaged:
        return f"{n_intact} {'run' if n_intact == 1 else 'runs'} checked, all intact."
    return "\n".join([*damaged, f"{n_intact} intact, {len(damaged)} damaged."])


class ProgressBar:
    """Progress of a stream of events: on a terminal a line that moves, elsewhere a line every tenth of the way."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._moving = stream.isatty()
        self._epochs = 0
        self._shown = False

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._epochs = event.epochs
                self._say(f"training {len(event.lam)} models on {event.device}, {event.epochs} epochs", stay=True)
            case EpochEnded():
                left = event.elapsed_s * (self._epochs - event.epoch) / event.epoch
                text = f"epoch {event.epoch} of {self._epochs}, {event.elapsed_s:.1f} s, about {left:.0f} s left"
                if self._moving:
                    full = _BAR * event.epoch // max(self._epochs, 1)
                    self._say(f"[{'#' * full}{'.' * (_BAR - full)}] {text}", stay=False)
                elif 10 * event.epoch // self._epochs > 10 * (event.epoch - 1) // self._epochs:
                    self._say(text, stay=True)
            case RunFinished():
                self.close()
            case _:
                pass

    def close(self) -> None:
        """Leave the line that moves."""
        if self._shown:
            self._shown = False
            with suppress(OSError):  # a stream that takes nothing stops no training
                print(file=self._stream)

    def _say(self, text: str, *, stay: bool) -> None:
        self._shown = self._shown or not stay
        with suppress(OSError):
            print(text if stay else f"\r{text:<79}", end="\n" if stay else "", file=self._stream, flush=True)


def _least(ite: np.ndarray | None) -> int | None:
    """Index of the λ with the least median, among those where every replicate has a number. ite: [R, L]."""
    if ite is None:
        return None
    medians = np.median(ite, axis=0)
    return int(np.nanargmin(medians)) if np.isfinite(medians).any() else None


def _spread(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "none"
    if len(values) == 1:
        return f"{known[0]:.3g}"
    return f"{np.median(known):.3g} [{known.min():.3g}, {known.max():.3g}]"


def _kind(replicates: int) -> str:
    return "median [smallest, largest] of the replicates" if replicates > 1 else "one replicate"


def text_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *lines)
    )
