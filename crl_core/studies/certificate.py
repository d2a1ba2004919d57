"""Certificate: one page on a model and a deployment sample, with what no test on these data could have found."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from crl_core.config.text import reproducing_command
from crl_core.measures.falsifiers import LEAST_ROWS, LEVEL, PERMUTATIONS, RATIO, REFERENCE
from crl_core.studies.deployed import TITLES, BatchReport, Reference

_STYLE = """
body { margin: 2.2rem auto; max-width: 46rem; padding: 0 1rem; background: #fff; color: #14181d;
  font: 15px/1.5 'DejaVu Sans', Verdana, 'Segoe UI', system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .3rem 0; } h2 { font-size: 1rem; margin: 1.4rem 0 .3rem 0; }
.quiet { color: #4a525c; } .summary { font-size: 1.1rem; font-weight: 650; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } td, th { text-align: left;
  padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #dcdad3; vertical-align: top; } code { font-size: .82rem; overflow-wrap: anywhere; }
@media print { body { margin: 0; } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate as sentences; `markdown` and `html` lay it out."""

    title: str
    model: str
    sample: str
    summary: str
    rows: tuple[tuple[str, str, str, str], ...]  # test, what it compares and when it alarms, statistic, finding
    blind: tuple[str, ...]  # what no test on these data could have found
    command: str

    def markdown(self) -> str:
        table = [
            "| test | alarms when | statistic | found |",
            "|---|---|---|---|",
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows),
        ]
        parts = [f"# {self.title}", self.model, self.sample, f"**{self.summary}**", "\n".join(table)]
        parts += [
            "## What no test on these data could have found",
            "\n".join(f"- {item}" for item in self.blind),
        ]
        return "\n\n".join([*parts, "## The model again", f"`{self.command}`", ""])

    def html(self) -> str:
        """A page that stands alone and prints on one sheet."""
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        blind = "".join(f"<li>{escape(item)}</li>" for item in self.blind)
        return (
            f'<!doctype html><html lang="en"><head><meta '
            f'charset="utf-8"><title>{escape(self.title)}</title><style>{_STYLE}</style></head>'
            f'<body><h1>{escape(self.title)}</h1><p class="quiet">{escape(self.model)}<br>{escape(self.sample)}</p>'
            f'<p class="summary">{escape(self.summary)}</p><table><tr><th>test</th><th>alarms '
            f"when</th><th>statistic</th><th>found</th></tr>"
            f"{rows}</table><h2>What no test on these data could have found</h2><ul>{blind}</ul>"
            f"<h2>The model again</h2><p><code>{escape(self.command)}</code></p></body></html>\n"
        )


def certificate(model: Reference, report: BatchReport, *, sample: str = "A deployment sample") -> Certificate:
    """The certificate of a model's batch report. It never uses the truth, simulated or not.

    sample: what the rows are, in a few words without a full stop.
    """
    config = model.run.config
    alarmed = [finding for finding in report.findings if finding.alarm]
    rows = tuple(
        (
            TITLES[finding.test],
            f"ratio > {RATIO:g}" if finding.test == "residuals" else f"p ≤ {LEVEL:g}",
            "–" if not np.isfinite(finding.statistic) else f"{finding.statistic:.3g}",
            ("ALARM. " if finding.alarm else "not made. " if finding.alarm is None else "quiet. ") + finding.words,
        )
        for finding in report.findings
    )
    n_tests = sum(finding.p is not None for finding in report.findings)
    said = (
        f"{len(alarmed)} of {len(report.findings)} tests alarm: this sample is not what the model was trained on."
        if alarmed
        else "No test alarms. That is not a proof that the model is right here."
    )
    return Certificate(
        title="Invariance certificate",
        model=f"Run {config.key}, λ = {model.lam:g}, one network; reference: {len(model.latents)} held-out latents "
        f"(of at most {REFERENCE}), {len(model.residual)} held-out residuals.",
        sample=f"{sample}: {report.n_rows} rows tested, {PERMUTATIONS} permutations. {n_tests} tests at level "
        f"{LEVEL:g} each: without any change about one certificate in "
        f"{max(1, round(1 / (LEVEL * max(1, n_tests))))} has an alarm. " + " ".join(report.notes),
        summary=said,
        rows=rows,
        blind=_blind(report),
        command=reproducing_command(config),
    )


def _blind(report: BatchReport) -> tuple[str, ...]:
    residuals = next((finding for finding in report.findings if finding.test == "residuals"), None)
    unlabelled = residuals is None or residuals.alarm is None
    found = [
        "A difference that the encoder throws away: tests on latents see what the network sees.",
        "Whether the effects are right: an alarm means that rows differ. Other patients alarm while the effects stay "
        "right.",
    ]
    if unlabelled:
        found.append("Any change of how outcomes come about: no outcomes came with these rows.")
    elif "no labelled row" in residuals.words:  # type: ignore[union-attr]
        found.append("A changed effect, or outcome, in the arm that has no labelled row here.")
    else:
        found.append("A changed effect that is small beside the noise, or that cancels within an arm.")
    if report.n_rows < 100:
        found.append(
            f"Small shifts: {report.n_rows} rows have little power (tests begin at {LEAST_ROWS}, 200 are better)."
        )
    return tuple(found)
