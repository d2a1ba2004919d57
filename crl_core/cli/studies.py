"""The commands that run a whole study and print its answer: claims, environments."""

from __future__ import annotations

import argparse
import math
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from crl_core.cli.output import check_target, path_given, put, tell, warn, write_text
from crl_core.cli.seeds import add_seed_options
from crl_core.cli.table import ProgressBar, text_table
from crl_core.cli.workers import add_worker_options, workers
from crl_core.config import RunConfig
from crl_core.config.presets import DEFAULT_PRESET, PRESETS
from crl_core.config.text import TRAINING, preset_of, seed_words
from crl_core.measures.intervals import too_few
from crl_core.runs.store import RunStore
from crl_core.studies import claims_run
from crl_core.studies import environments_report as study_report
from crl_core.studies.claims import Claim, Measured, load_claims, middle_of, pick
from crl_core.studies.environments import SEEDS, EnvironmentsStudy, cautions, run_environments
from crl_core.studies.study_claims import STUDIES, StudyClaim, all_claims, claims_of, measure_study


def add_study_commands(command: Callable[..., Any]) -> None:
    """Add them with `command(name, what does it, text)`, which returns a parser."""
    claims = command("claims", _claims, "put claims to the test over several seeds")
    add_seed_options(claims, claims_run.SEEDS)
    claims.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="ID",
        help=f"some of {', '.join(c.id for c in all_claims())}",
    )
    claims.add_argument(
        "--lab",
        choices=("paths", *STUDIES),
        help="only the claims about λ paths, or those of one laboratory",
    )
    add_worker_options(claims)
    envs = command("environments", _environments, "what does another environment buy? E from 2 to 5")
    envs.add_argument("--preset", default=DEFAULT_PRESET, metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    add_seed_options(envs, SEEDS)
    add_worker_options(envs)
    envs.add_argument("--report", type=path_given, metavar="FILE", help="also write a report, .md or .html")


def _claims(options: argparse.Namespace) -> int:
    among = load_claims() if options.lab == "paths" else claims_of(options.lab) if options.lab else all_claims()
    claims, bar, store = pick(options.only, among), ProgressBar(sys.stderr), RunStore()

    def on_run(done: int, total: int, config: RunConfig) -> None:
        bar.close()
        world = preset_of(config, free=TRAINING) or f"{config.scenario.n_envs} environments"
        models = f"{len(config.training.lams)} λ × {config.training.replicates} seeds"
        tell(f"run {done + 1} of {total}: {world}, {models}")

    paths = [claim for claim in claims if isinstance(claim, Claim)]
    with workers(options, store, bar) as executor:
        measured = claims_run.run_claims(
            paths, options.seeds, store, executor, first_seed=options.first_seed, on_run=on_run
        )
        for study in STUDIES.values():
            asked = [claim for claim in claims if isinstance(claim, StudyClaim) and claim.study == study.id]
            if asked:
                bar.close()
                tell(f"laboratory: {study.title}, {len(asked)} claims")
                measured += measure_study(asked, options.seeds, store, executor, options.first_seed)
    bar.close()
    content = claims_run.content_of(measured, options.seeds, first_seed=options.first_seed)
    said = claims_run.cautions(claims, content)
    put(
        options.json,
        content | {"cautions": list(said)},
        lambda: claims_table(measured, options.seeds, options.first_seed),
    )
    warn(said)
    return 0


def claims_table(measured: Sequence[Measured], seeds: int, first_seed: int) -> str:
    """Every claim with its median or mean rate, interval, threshold and verdict; statement and note under it."""
    width = max((len(item.claim.id) for item in measured), default=0)
    lines = []
    for item in measured:
        claim = item.claim
        sign = "<" if claim.holds_if == "below" else ">"
        interval = f"[{_number(item.interval[0])}, {_number(item.interval[1])}]"
        middle = middle_of(claim)
        found = f"{middle} {_number(getattr(item, middle))} {interval}, claimed {sign} {claim.bar:.4g}"
        lines.append(f"{claim.id:<{width}}  {item.verdict.upper():<16}  {found}")
        lines += [
            f"{'':<{width}}  {line}" for text in (claim.statement, claim.note) for line in textwrap.wrap(text, 100)
        ]
        lines.append("")
    ending = (
        f"Over {seed_words(seeds, first_seed)}: medians with 95 % bootstrap intervals, means of rates with an interval "
        "over seeds and batches; undecided where the interval holds the threshold."
    )
    if why := too_few(seeds):
        ending += f" No verdicts: these are {why}."
    return "\n".join([*lines, ending])


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "∞"


def _environments(options: argparse.Namespace) -> int:
    bar, store = ProgressBar(sys.stderr), RunStore()
    check_target(options.report, "--report")

    def on_run(done: int, total: int, config: RunConfig) -> None:
        bar.close()
        places = ", ".join(f"{offset:g}" for offset in config.scenario.offset)
        tell(f"run {done + 1} of {total}: environments at {places}")

    with workers(options, store, bar) as executor:
        study = run_environments(
            options.preset, options.seeds, store, executor, first_seed=options.first_seed, on_run=on_run
        )
    bar.close()
    said = cautions(study)
    put(options.json, study_report.report_content(study) | {"cautions": list(said)}, lambda: study_table(study))
    warn(said)
    if options.report is not None:
        text = study_report.html if options.report.endswith((".html", ".htm")) else study_report.markdown
        write_text(options.report, text(study), "--report")
    return 0


def study_table(study: EnvironmentsStudy) -> str:
    """The study's answer for a terminal: sentences first, then every number."""
    rows = [
        row
        for panels in (study_report.UNSEEN, study_report.LEFT_OUT, study_report.OVERLAP)
        for row in study_report.table_cells(study, panels)
    ]
    chosen = [study_report.rule_cells(row) for row in study_report.rules(study)]
    return "\n\n".join(
        (
            study_report.setting(study),
            study_report.headline(study),
            "\n".join(f"- {sentence}" for sentence in study_report.sentences(study)),
            text_table(study_report.HEADER, rows),
            study_report.why_not(study),
            text_table(study_report.RULE_HEADER, chosen),
        )
    )
