"""The command line: presets, train, runs. Results go to standard output, everything else to standard error.

Exit status: 0 done; 1 training failed, or a fault of the program; 2 bad input, or a file, store or stream that cannot
be used, with one line saying which; 130 Ctrl+C. Only with `--debug` is there a traceback.
With `--json -` standard output carries JSON and nothing else; a number that is not finite is null.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import numpy as np

from crl_core.cli import table
from crl_core.cli.bake import add_bake_command
from crl_core.cli.config import config_of
from crl_core.cli.export import add_export_command
from crl_core.cli.identify import add_identify_command
from crl_core.cli.licences import add_licences_command
from crl_core.cli.output import PROGRAM, OutputRefused, check_target, path_given, put, tell, warn
from crl_core.cli.own_table import add_table_command
from crl_core.cli.penalties import add_penalties_command
from crl_core.cli.presets import add_presets_command
from crl_core.cli.runs import add_run_commands
from crl_core.cli.studies import add_study_commands
from crl_core.cli.study import add_study_file_commands
from crl_core.cli.unit_tests import add_unit_tests_command
from crl_core.cli.unseen import add_unseen_command
from crl_core.config import RunConfig
from crl_core.config.numbers import option
from crl_core.config.presets import PRESETS
from crl_core.events import Event
from crl_core.jobs.ensure_runs import RunsFailed
from crl_core.jobs.train_and_store import sentence, train_and_store
from crl_core.measures.cautions import cautions_of
from crl_core.results import RunResult
from crl_core.runs.eventlog import read_entries
from crl_core.runs.kept_tables import KeptTables
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunForeign, RunNotFound, RunStore, default_root
from crl_core.runs.temporary import culprit, ensure_temporary_folder
from crl_core.serve.server import add_serve_command

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class TrainingFailed(Exception):
    """Training could not go on; the input was right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  closed by whoever called: >&-
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without λ shows ?
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    logging.getLogger("crl_core").setLevel(logging.NOTSET if debug else logging.CRITICAL + 1)
    try:
        options = _parser().parse_args(arguments)
        with suppress(StoreError):  # a command that needs the store says so itself
            ensure_temporary_folder(default_root())
            KeptTables(RunStore()).serve_rows()
        check_target(options.json)
        status: int = options.command(options)
        return status
    except BrokenPipeError:  # | head
        _leave_output()
        return OK
    except SystemExit:  # --help, or what argparse does not know
        with suppress(OSError):
            sys.stdout.flush()
            raise
        _leave_output()
        return _complain("standard output: it takes nothing more; send it to another place.", BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("cancelled; nothing was stored.", INTERRUPTED)
    except Exception as error:
        if debug:
            tell(traceback.format_exc())
        if isinstance(error, OutputRefused):
            _leave_output()
        return _complain(*_told(error))


def _told(error: Exception) -> tuple[str, int]:
    """What ended a command, in a sentence, and the exit status."""
    if isinstance(error, (TrainingFailed, RunsFailed)):
        return f"training failed. {error}", FAILED
    if isinstance(error, (OutputRefused, StoreError, ValueError)):
        return str(error), BAD_INPUT
    if (sentence := culprit(error)) is not None:
        return sentence, BAD_INPUT
    what = f"{type(error).__name__}: {error!s:.200}".rstrip(" :.")
    return f"this is a fault of the program ({what}); --debug shows where.", FAILED


def _leave_output() -> None:
    """Nothing more goes to standard output, not even what Python would write at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str, status: int) -> int:
    tell(f"{PROGRAM}: {' '.join(text.split())}")
    return status


# -- what may be typed ------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{PROGRAM}: {message}; see {self.prog} --help\n")


def _parser() -> _Parser:
    json_option = argparse.ArgumentParser(add_help=False)
    json_option.add_argument(
        "--json", type=path_given, metavar="FILE", help="write JSON to FILE, - for standard output"
    )
    json_option.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(prog=PROGRAM, description="Train and keep λ paths of CFRNets on worlds whose truth is known.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], int], text: str, where: Any = commands) -> _Parser:
        added: _Parser = where.add_parser(name, help=text, description=text, parents=[json_option], allow_abbrev=False)
        added.set_defaults(command=does)
        return added

    add_presets_command(command)

    train = command("train", _train, "train all λ of a run at once, or take it from the cache")
    train.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}; default hospital")
    train.add_argument(
        "--config", type=path_given, metavar="FILE", help="a run's configuration as JSON, instead of a preset"
    )
    train.add_argument("--lam", nargs="+", type=option("lams", several=True), metavar="λ", help="penalty weights")
    train.add_argument("--epochs", type=option("epochs"), metavar="N")
    train.add_argument("--seed", type=option("seed"), metavar="N")
    train.add_argument("--replicates", type=option("replicates"), metavar="R", help="data and initialisations per λ")
    train.add_argument("--envs", type=option(unit="environments envs"), metavar="E", help="number of environments")
    train.add_argument("--sigma", nargs="+", type=option("sigma", several=True), metavar="σ", help="one a environment")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="e.g. scenario.offset=-2,2; may be repeated",
    )
    train.add_argument("--device", metavar="NAME", help="auto, cuda, mps or cpu")
    train.add_argument("--no-cache", action="store_true", help="train even if stored, and store nothing")

    add_bake_command(command)
    add_study_commands(command)
    add_unseen_command(command)
    add_penalties_command(command)
    add_table_command(command)
    add_unit_tests_command(command)
    add_identify_command(command)
    add_export_command(command)
    add_serve_command(command)
    add_licences_command(command)

    study = commands.add_parser("study", help="a grid of runs that a file describes")
    add_study_file_commands(partial(command, where=study.add_subparsers(required=True, metavar="ACTION")))
    runs = commands.add_parser("runs", help="list and look after the stored runs")
    add_run_commands(partial(command, where=runs.add_subparsers(required=True, metavar="ACTION")))
    return parser


# -- commands ---------------------------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    config = config_of(options)
    bar = table.ProgressBar(sys.stderr)
    if options.no_cache:
        result, cached, problem = _without_store(config, bar), False, None
    else:
        result, cached, problem = _with_store(config, RunStore(), bar)
    bar.close()
    evidence = None if options.json is None else _evidence_of(result, None if options.no_cache else RunStore())
    content = table.run_content(result, cached=cached, evidence=evidence)
    put(options.json, content, lambda: table.run_table(result, cached=cached))
    warn(cautions_of(result))
    if problem is not None:
        return _complain(str(problem), BAD_INPUT)
    return OK


def _evidence_of(result: RunResult, store: RunStore | None) -> Mapping[str, np.ndarray] | None:
    """The evidence of a run, stored with it where it is; None where it could not be computed."""
    if store is not None and store.has(result.config.key):
        while train_and_store(result.config, store, with_parts=("evidence",)).ending == "busy":
            time.sleep(0.1)  # another process has the run, and may be measuring it
        return store.part(result.config.key, "evidence")
    from crl_core.measures.evidence import gather
    from crl_core.training.left_out import left_out_mse
    from crl_core.training.regularised import train_regularised

    return gather(result, regularised=train_regularised(result), left_out=left_out_mse(result))


def _without_store(config: RunConfig, listen: Callable[[Event], None]) -> RunResult:
    from crl_core.training.path import train

    try:
        return train(config, listen=listen)
    except ValueError:  # the device is not there
        raise
    except Exception as error:
        raise TrainingFailed(sentence(error)) from error


def _with_store(
    config: RunConfig, store: RunStore, listen: Callable[[Event], None]
) -> tuple[RunResult, bool, Exception | None]:
    """The result, whether it was there before, and what kept it from being stored."""
    while True:
        try:
            return store.load(config.key), True, None
        except RunCorrupted as error:
            tell(f"{PROGRAM}: {error}")
        except (RunNotFound, RunForeign):
            pass
        outcome = train_and_store(config, store, with_parts=False, listen=listen)
        if outcome.ending == "busy":
            _follow(config.key, store, listen)
        elif outcome.result is not None:
            return outcome.result, False, outcome.error
        elif outcome.ending == "cancelled":
            raise TrainingFailed("Someone cancelled it; nothing was stored.")
        elif isinstance(outcome.error, (StoreError, ValueError)):
            raise outcome.error
        elif outcome.ending == "failed":
            raise TrainingFailed(outcome.reason or "")


def _follow(key: str, store: RunStore, listen: Callable[[Event], None]) -> None:
    """Show another process's training of the run until that process ends it."""
    tell("Another process is training this run; following it.")
    offset = 0
    while store.busy(key) and not store.has(key):
        entries, offset = read_entries(store.events_path(key), offset)
        for entry in entries:
            listen(entry.event)
        time.sleep(0.1)
