"""The command `table`: a table of one's own, looked at, then trained on; what it says of average effects along λ.

Nothing of it is stored: the run lives as long as the command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from crl_core.cli.output import check_target, path_given, put, warn, write_text
from crl_core.cli.planted import add_planted_options, planted_content, planted_text, planting_asked_for
from crl_core.cli.table import ProgressBar, text_table
from crl_core.cli.table_examples import TableGiven, add_example_options, example_given, examples_asked_for
from crl_core.cli.table_judged import Judged, judged, judged_content, judged_text, over_fits
from crl_core.cli.table_model import add_model_option, format_asked_for, model_text, model_written
from crl_core.config import Align
from crl_core.config.numbers import option
from crl_core.config.table import LAMS, REPLICATES, STEPS, table_config
from crl_core.data.scm import MultiEnvData
from crl_core.data.tables.columns import SINGLE, Raw, Role, TableRefused, first_of
from crl_core.data.tables.guess import guessed_roles
from crl_core.data.tables.making import table_source
from crl_core.data.tables.reading import MOST_BYTES, read_table
from crl_core.data.tables.signals import samples_of
from crl_core.data.tables.source import TableSource
from crl_core.data.user_files import folded, place
from crl_core.export.effects_file import effects_csv
from crl_core.measures.average_effects import AverageEffects, RowEffects, average_effects, row_effects
from crl_core.measures.doubly_robust import nuisances
from crl_core.metrics import ite_rmse
from crl_core.results import RunResult
from crl_core.world.table_checks import Look, look_at

RULE = "least validation error"


def add_table_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("table", _table, "look at a table of your own: what it holds, and what it can tell")
    parser.add_argument(
        "file", nargs="?", type=path_given, metavar="FILE", help="a CSV or Parquet file with a line of names"
    )
    add_example_options(parser)
    for role, help in (
        ("outcome", "the column that the treatment may change"),
        ("treatment", "the column that says who was treated"),
        ("environment", "the column that says where a row comes from"),
        ("mu0", "the true mean outcome untreated, where it is known"),
        ("mu1", "the true mean outcome treated, where it is known"),
    ):
        parser.add_argument(f"--{role}", metavar="COLUMN", help=help)
    parser.add_argument("--treated", default="", metavar="VALUE", help="the treatment's value that means treated")
    parser.add_argument("--covariates", nargs="+", metavar="COLUMN", help="default: all that are not left out")
    parser.add_argument("--ignore", nargs="+", default=[], metavar="COLUMN", help="columns that have no part")
    parser.add_argument("--categories", nargs="+", default=[], metavar="COLUMN", help="numbers that name a category")
    parser.add_argument(
        "--signal", default="", metavar="PREFIX", help="columns PREFIX1, PREFIX2, … are samples of one signal"
    )
    parser.add_argument(
        "--group-environments",
        type=option(whole=True),
        metavar="N",
        help="at most N environments: the N - 1 largest values, and the rest together",
    )
    parser.add_argument("--look", action="store_true", help="only look, do not train")
    parser.add_argument("--align", choices=get_args(Align), help="what the penalty makes alike")
    parser.add_argument("--lam", nargs="+", type=option("lams", several=True), metavar="λ", help="penalty weights")
    parser.add_argument(
        "--replicates", type=option("replicates"), default=REPLICATES, metavar="R", help="fits, averaged"
    )
    parser.add_argument("--steps", type=option("steps"), default=STEPS, metavar="N", help="of a fit")
    parser.add_argument("--seed", type=option("seed"), default=0, metavar="N")
    parser.add_argument("--effects", type=path_given, metavar="FILE", help="write every row's effect as CSV")
    add_model_option(parser)
    add_planted_options(parser)


def _table(options: argparse.Namespace) -> int:
    if options.examples or options.write is not None:
        return examples_asked_for(options)
    given = example_given(options) or _file_given(options.file)
    raw, roles = given.raw, _roles(given, options)
    if options.group_environments is not None and "environment" not in roles.values():
        raise ValueError("--group-environments groups values of an environment; name its column with --environment.")
    source = table_source(
        raw,
        roles,
        treated=options.treated or ("" if options.treatment is not None else given.treated),
        label=given.label,
        categories=given.categories | {_named(raw, name) for name in options.categories},
        group_environments=options.group_environments,
        signal=options.signal,
    )
    planting, model_format = planting_asked_for(options, source), format_asked_for(options)
    look = look_at(source, raw)
    content = content_of(source, raw, roles, look)
    if options.look:
        put(options.json, content, lambda: _readable(source, raw, look))
    else:
        from crl_core.training.path import train  # torch: seconds that looking does without

        config = table_config(
            source,
            look.arms,
            align=options.align,
            lams=options.lam or LAMS,
            replicates=options.replicates,
            steps=options.steps,
            seed=options.seed,
        )
        check_target(options.effects, "--effects")
        bar = ProgressBar(sys.stderr)
        result = train(config, listen=bar)
        bar.close()
        rows, at = source.all_rows()
        along = average_effects(result, rows)
        if along.picked is None:
            raise ValueError("no λ has models that all predict; take a smaller learning rate, or fewer and smaller λ.")
        train_part, test_part = source.parts()
        found = row_effects(result, rows, train_part, along.picked)
        known = nuisances(rows, options.seed)
        checked = judged(source, rows, known, found)
        content |= path_content(result, along, along.picked, found, rows, test_part) | judged_content(checked)
        if model_format is not None:
            content["export"] = model_written(result, along.lams[along.picked], model_format, options.export)
        if planting is not None:
            content["planted"] = planted_content(config, planting)
        put(options.json, content, lambda: _all_readable(source, raw, look, content, checked, options.replicates))
        if options.effects is not None:
            write_text(options.effects, effects_csv(raw, roles, at, found, known), "--effects")
    warn(item.sentence for item in look.findings if item.weight != "note")
    return 0


def _file_given(path: str) -> TableGiven:
    """A person's file; what its columns are is guessed, but never an outcome or a treatment."""
    raw = read_table(_content(path))
    apart: Mapping[str, Role] = {"id": "id", "ignore": "ignore"}
    roles = {name: apart.get(role, "covariate") for name, role in guessed_roles(raw).items()}
    return TableGiven(label=Path(path).name, raw=raw, roles=roles)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path}{place(path)} cannot be read: {error.strerror or error}.") from None


def _roles(given: TableGiven, options: argparse.Namespace) -> dict[str, Role]:
    """What was said of each column; of the others what the table came with."""
    raw, roles = given.raw, dict(given.roles)
    if options.covariates is not None:
        chosen = {_named(raw, name) for name in options.covariates}
        apart = {name: role if role in SINGLE else "ignore" for name, role in roles.items()}
        roles = apart | dict.fromkeys(chosen, "covariate")
    for name in options.ignore:
        roles[_named(raw, name)] = "ignore"
    said = {role: _named(raw, name) for role in SINGLE if (name := getattr(options, role)) is not None}
    replaced: set[Role] = set(said)
    if said.keys() & {"outcome", "treatment"} or options.treated not in ("", given.treated):
        replaced |= {"mu0", "mu1"}  # an example's truth is of its own outcome and arms
    roles = {name: "ignore" if role in replaced else role for name, role in roles.items()}
    samples = samples_of(list(raw.columns), options.signal) if options.signal else ()
    if out := sorted({_named(raw, name) for name in options.ignore} & {*samples}):
        raise TableRefused(f"{out[0]} is to be ignored and is a sample of the signal; keep it, or declare no signal.")
    roles |= {name: "covariate" for name in samples if roles[name] in ("id", "ignore")}
    return roles | {name: role for role, name in said.items()}


def _named(raw: Raw, name: str) -> str:
    """A column by the name that a person typed."""
    alike = [column for column in raw.columns if folded(column) == folded(name)]
    if name in raw.columns or not alike:
        alike = [name] if name in raw.columns else []
    if len(alike) != 1:
        raise TableRefused(f"the table has no column {name[:40]}; its columns are {first_of(list(raw.columns), 12)}.")
    return alike[0]


def content_of(source: TableSource, raw: Raw, roles: dict[str, Role], look: Look) -> dict[str, Any]:
    """The JSON of `table --json`."""
    return {
        "columns": [{"name": name, "role": role} for name, role in roles.items()],
        **({"signal": [source.features[place] for place in source.signal]} if source.signal else {}),
        "inputs": list(source.features),
        "arms": list(source.arms),
        "rows": {
            "used": source.n_rows,
            "held_out": source.n_held_out,
            "left_out": raw.n_rows - source.n_rows,
            "why": dict(look.left_out),
        },
        "environments": {
            name: {"treated": int(treated), "untreated": int(untreated)}
            for name, (untreated, treated) in zip(source.env_names, look.arms, strict=True)
        },
        "overlap": {"outside": look.outside, "auc": look.auc},
        "naive": look.naive,
        "least_squares": look.least_squares,
        "least_squares_treated": look.least_squares_treated,
        "warnings": [item.sentence for item in look.findings],
    }


def _readable(source: TableSource, raw: Raw, look: Look) -> str:
    untreated, treated = source.arms
    out = [f"{n} ({why})" for why, n in look.left_out.items()]
    without = [name for name in raw.columns if name not in {column.name for column in source.columns}]
    lines = [
        f"{source.label}: {source.n_rows} of {raw.n_rows} rows can be used"
        + (f"; left out: {', '.join(out)}." if out else "."),
        *([f"Columns without a part: {', '.join(without)}."] if without else []),
        f"{len(source.covariates)} covariates become {len(source.features)} inputs"
        + (f", {len(source.signal)} of them the samples of one signal" if source.signal else "")
        + ". Treated means "
        f"{source.named('treatment')} = {treated}, untreated {untreated}.",
        "",
        text_table(
            (source.named("environment") or "", "untreated", "treated"),
            [(name, str(n[0]), str(n[1])) for name, n in zip(source.env_names, look.arms, strict=True)],
        ),
        "",
        f"Average effect on {source.named('outcome')}: {look.naive:.4g} by the difference in means, "
        f"{look.least_squares:.4g} by least squares per arm ({look.least_squares_treated:.4g} on the treated).",
        f"Overlap: {100 * look.outside:.0f} % of the rows are hardly ever given the other treatment "
        f"(AUC {look.auc:.2f}; 0.5 in a randomised trial).",
    ]
    return "\n".join([*lines, *(item.sentence for item in look.findings if item.weight == "note")])


def _all_readable(
    source: TableSource, raw: Raw, look: Look, content: Mapping[str, Any], checked: Judged, replicates: int
) -> str:
    parts = [_readable(source, raw, look), _path_table(content, replicates), judged_text(checked)]
    if "export" in content:
        parts.append(model_text(content["export"]))
    if "planted" in content:
        parts.append(planted_text(content["planted"]))
    return "\n\n".join(parts)


def path_content(
    result: RunResult, along: AverageEffects, picked: int, found: RowEffects, rows: MultiEnvData, test: np.ndarray
) -> dict[str, Any]:
    """What training adds to the JSON. spread: standard deviation over replicates. test: indices of held-out rows."""
    error = None if rows.ite is None else float(ite_rmse(found.effect[test], rows.ite[test]))
    return {
        "key": result.config.key,
        "config": result.config.to_dict(),
        "rule": RULE,
        "lam": along.lam,
        "ate": over_fits(along.ate[:, picked]),
        "att": over_fits(along.att[:, picked]),
        "ite_rmse": error,
        "path": [
            {"lam": lam, "validation_loss": chosen, "factual_mse": factual, "mmd2": mmd2, "ate": ate, "att": att}
            for lam, chosen, factual, mmd2, ate, att in zip(
                along.lams,
                along.choosing.tolist(),
                along.factual_mse.tolist(),
                along.mmd2.tolist(),
                along.ate.mean(axis=0).tolist(),
                along.att.mean(axis=0).tolist(),
                strict=True,
            )
        ],
    }


def _path_table(content: Mapping[str, Any], replicates: int) -> str:
    """What `path_content` and the look hold, for reading."""
    lines = [
        (
            f"{point['lam']:g}" + (" <" if point["lam"] == content["lam"] else ""),
            f"{point['validation_loss']:.4g}",
            f"{point['factual_mse']:.4g}",
            f"{point['mmd2']:.2g}",
            f"{point['ate']:.4g}",
            f"{point['att']:.4g}",
        )
        for point in content["path"]
    ]
    ate = content["ate"]
    spread = f" (± {ate['spread']:.2g} between fits)" if replicates > 1 else ""
    return "\n".join(
        [
            text_table(("λ", "validation error", "held-out error", "MMD²", "ATE", "ATT"), lines),
            "",
            f"At λ = {content['lam']:g}, chosen by {RULE}: average effect {ate['value']:.4g}{spread}, on the treated "
            f"{content['att']['value']:.4g}; mean of {replicates} fits.",
            f"Where a large λ moves them towards the difference in means, {content['naive']:.4g}, it erases "
            "confounders.",
        ]
    )
