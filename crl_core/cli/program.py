"""The command line: presets, train, runs. Results go to standard output, everything else to standard error.

Exit status: 0 done; 1 training failed; 2 bad input or a store that cannot be used, with one line saying so; 130 Ctrl+C.
With `--json -` standard output carries JSON and nothing else; a number that is not finite is null.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

from crl_core.cli import table
from crl_core.cli.bake import add_bake_command
from crl_core.cli.config import config_of
from crl_core.cli.export import add_export_command
from crl_core.cli.identify import add_identify_command
from crl_core.cli.output import PROGRAM, check_target, put
from crl_core.cli.penalties import add_penalties_command
from crl_core.cli.runs import add_run_commands
from crl_core.cli.studies import add_study_commands
from crl_core.cli.unseen import add_unseen_command
from crl_core.config import RunConfig
from crl_core.config_text import NotANumber, number
from crl_core.events import Event, RunFinished
from crl_core.jobs.ensure_runs import RunsFailed
from crl_core.jobs.train_and_store import sentence, train_and_store
from crl_core.measures.cautions import cautions_of
from crl_core.presets import PRESETS
from crl_core.results import RunResult
from crl_core.runs.eventlog import read_entries
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunNotFound, RunStore
from crl_core.serve.server import add_serve_command

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class TrainingFailed(Exception):
    """Training could not go on, through no fault of the input."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  closed by whoever called: >&-
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without λ shows ?
    try:
        options = _parser().parse_args(arguments)
        check_target(options.json)
        status: int = options.command(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:  # everything else that writes or reads says so in a sentence of its own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        reason = error.strerror or str(error)
        return _complain(f"standard output: {reason}; send it to another place.", BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("cancelled; nothing was stored.", INTERRUPTED)
    except (TrainingFailed, RunsFailed) as error:
        return _complain(f"training failed. {error}", FAILED)
    except (StoreError, ValueError) as error:
        return _complain(str(error), BAD_INPUT)


def _complain(text: str, status: int) -> int:
    print(f"{PROGRAM}: {' '.join(text.split())}", file=sys.stderr)
    return status


# -- what may be typed ------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{PROGRAM}: {message}; see {self.prog} --help\n")


def _one(field: str | None = None) -> Callable[[str], float | int]:
    """Reads a field's number; argparse tells why one cannot be read."""

    def read(text: str) -> float | int:
        try:
            return number(text, field)
        except NotANumber:
            raise argparse.ArgumentTypeError(f"invalid number value: {text!r}") from None
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _each(text: str) -> float | int:
    """Reads one of several numbers, where a comma may stand between two of them or in one."""
    try:
        if re.fullmatch(r"[+-]?\d+,\d+", text.strip()):
            one, two = text.strip().replace(",", "."), text.strip().replace(",", " ")
            raise ValueError(f"“{text[:40]}” can be read as {one} or as {two}, two numbers; write {one} or {two}.")
        return number(text)
    except NotANumber:
        raise argparse.ArgumentTypeError(f"invalid number value: {text!r}") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> _Parser:
    json_option = argparse.ArgumentParser(add_help=False)
    json_option.add_argument("--json", metavar="FILE", help="write JSON to FILE, - for standard output")
    parser = _Parser(prog=PROGRAM, description="Train and keep λ paths of CFRNets on worlds whose truth is known.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], int], text: str, where: Any = commands) -> _Parser:
        added: _Parser = where.add_parser(name, help=text, description=text, parents=[json_option], allow_abbrev=False)
        added.set_defaults(command=does)
        return added

    command("presets", _presets, "list the worlds that come with the program")

    train = command("train", _train, "train all λ of a run at once, or take it from the cache")
    train.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}; default hospital")
    train.add_argument("--config", metavar="FILE", help="a run's configuration as JSON, instead of a preset")
    train.add_argument("--lam", nargs="+", type=_each, metavar="λ", help="penalty weights")
    train.add_argument("--epochs", type=_one("epochs"), metavar="N")
    train.add_argument("--seed", type=_one("seed"), metavar="N")
    train.add_argument("--replicates", type=_one("replicates"), metavar="R", help="data and initialisations per λ")
    train.add_argument("--envs", type=_one(), metavar="E", help="number of environments")
    train.add_argument("--sigma", nargs="+", type=_each, metavar="σ", help="one a environment")
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
    add_identify_command(command)
    add_export_command(command)
    add_serve_command(command)

    runs = commands.add_parser("runs", help="list and look after the stored runs")
    add_run_commands(partial(command, where=runs.add_subparsers(required=True, metavar="ACTION")))
    return parser


# -- commands ---------------------------------------------------------------------------------------------------------


def _presets(options: argparse.Namespace) -> int:
    content = [
        {
            "id": item.id,
            "title": item.title,
            "sentence": item.sentence,
            "look_for": item.look_for,
            "verdict": item.verdict,
            "config": item.config.to_dict(),
        }
        for item in PRESETS.values()
    ]
    put(options.json, {"presets": content}, table.presets)
    return OK


def _train(options: argparse.Namespace) -> int:
    config = config_of(options)
    bar = table.ProgressBar(sys.stderr)
    if options.no_cache:
        result, cached, problem = _without_store(config, bar), False, None
    else:
        result, cached, problem = _with_store(config, RunStore(), bar)
    bar.close()
    put(options.json, table.run_content(result, cached=cached), lambda: table.run_table(result, cached=cached))
    for caution in cautions_of(result):
        _complain(f"warning: {caution}", OK)
    if problem is not None:
        return _complain(str(problem), BAD_INPUT)
    return OK


def _without_store(config: RunConfig, listen: Callable[[Event], None]) -> RunResult:
    from crl_core.training.path import train_path

    try:
        for event in train_path(config):
            listen(event)
            if isinstance(event, RunFinished) and event.result is not None:
                return event.result
    except ValueError:  # the device is not there
        raise
    except Exception as error:
        raise TrainingFailed(sentence(error)) from error
    raise TrainingFailed("It ended without a result.")


def _with_store(
    config: RunConfig, store: RunStore, listen: Callable[[Event], None]
) -> tuple[RunResult, bool, Exception | None]:
    """The result, whether it was there before, and what kept it from being stored."""
    while True:
        try:
            return store.load(config.key), True, None
        except RunCorrupted as error:
            print(f"{PROGRAM}: {error}", file=sys.stderr)
        except RunNotFound:
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
    """Watch another process train the run, until it lets go of it."""
    print("Another process is training this run; following it.", file=sys.stderr)
    offset = 0
    while store.busy(key) and not store.has(key):
        entries, offset = read_entries(store.events_path(key), offset)
        for entry in entries:
            listen(entry.event)
        time.sleep(0.1)
