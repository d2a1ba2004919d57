"""The commands that list and look after the stored runs: `runs list`, `show`, `rename`, `export` and their like."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from crl_core.cli import table
from crl_core.cli.output import PROGRAM, check_target, path_given, put, warn
from crl_core.data.tables.source import TableSource
from crl_core.data.user_files import place
from crl_core.measures.cautions import cautions_of
from crl_core.runs.bundle import AlreadyStored, export_run, import_run
from crl_core.runs.kept_tables import KeptTables
from crl_core.runs.labels import Label
from crl_core.runs.library import Library, Usage, retagged, search
from crl_core.runs.store import RunStore

OK, BAD_INPUT = 0, 2
LEAST_OF_KEY = 4  # a slip of the finger deletes no run


def add_run_commands(command: Callable[..., Any]) -> None:
    """Add them with `command(name, what does it, text)`, which returns a parser."""
    listing = command("list", _list, "all stored runs, newest first")
    listing.add_argument(
        "--search",
        default="",
        metavar="TEXT",
        help="only runs that hold every word, e.g. in name, tags, changes",
    )
    listing.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="only runs with this tag; may be repeated"
    )
    command(
        "verify",
        _verify,
        "check every byte of every run and rebuild the index; damaged runs go to quarantine",
    )
    command("empty-trash", _empty_trash, "delete for good the runs in trash and quarantine")
    for name, does, text in (
        ("show", _show, "the figures of a run"),
        ("delete", _delete, "move a run to the trash"),
        ("restore", _restore, "take a deleted run out of the trash again"),
        ("pin", partial(_pin, pinned=True), "keep a run whatever the quota says"),
        ("unpin", partial(_pin, pinned=False), "let the quota have it again"),
    ):
        command(name, does, text).add_argument("key", metavar="KEY", help="or how it begins")
    for name, text, word, help_ in (
        ("rename", "give a run a name", "name", 'an empty one ("") takes it away'),
        ("note", "write a note on a run", "note", 'an empty one ("") takes it away'),
    ):
        parser = command(name, partial(_write, field=word), text)
        parser.add_argument("key", metavar="KEY", help="or how it begins")
        parser.add_argument(word, metavar=word.upper(), help=help_)
    tag = command("tag", _tag, "add tags to a run, or remove some")
    tag.add_argument("key", metavar="KEY", help="or how it begins")
    tag.add_argument("tags", nargs="*", default=[], metavar="TAG")
    tag.add_argument("--remove", nargs="+", default=[], metavar="TAG")
    export = command("export", _export, "write a run as one file for other people")
    export.add_argument("key", metavar="KEY", help="or how it begins")
    export.add_argument("file", type=path_given, metavar="FILE", help="e.g. run.zip")
    bring_in = command("import", _import, "check such a file and store its run")
    bring_in.add_argument("file", type=path_given, metavar="FILE")


def _list(options: argparse.Namespace) -> int:
    store = RunStore()
    runs = Library(store).runs()
    found, usage = search(runs, options.search, options.tag), Usage.of(runs, store)
    put(
        options.json,
        {
            "runs": [table.summary_content(item) for item in found],
            "bytes": usage.bytes,
            "quota_bytes": usage.quota_bytes,
        },
        lambda: f"{table.runs_table(found)}\n\n{table.usage_line(usage)}",
    )
    return OK


def _pin(options: argparse.Namespace, pinned: bool) -> int:
    store = RunStore()
    key = _key(options.key, store.keys())
    store.pin(key, pinned)
    put(
        options.json,
        {"key": key, "pinned": pinned},
        lambda: f"Run {key} is {'pinned' if pinned else 'not pinned'}.",
    )
    return OK


def _write(options: argparse.Namespace, field: str) -> int:
    return _relabel(options, lambda label: replace(label, **{field: getattr(options, field)}))


def _tag(options: argparse.Namespace) -> int:
    return _relabel(options, lambda label: retagged(label, options.tags, options.remove))


def _relabel(options: argparse.Namespace, change: Callable[[Label], Label]) -> int:
    store = RunStore()
    key = _key(options.key, store.keys())
    summary = store.summary(key)
    before = Label() if summary is None else summary.label  # where there is no run, `label` says so
    after = change(before)
    store.label(key, after, was=before)
    put(options.json, {"key": key, **after.to_dict()}, lambda: f"Run {key}: {table.label_line(after)}")
    return OK


def _show(options: argparse.Namespace) -> int:
    store = RunStore()
    key = _key(options.key, store.keys())
    result, summary = store.load(key), store.summary(key)
    there = summary is not None and "evidence" in summary.parts
    evidence = store.part(key, "evidence") if there else None
    content = table.run_content(result, cached=True, evidence=evidence)
    if summary is not None:
        content |= {"created": summary.created, "parts": list(summary.parts), "pinned": summary.pinned}
        content |= {
            "recipe_version": summary.recipe_version,
            "imported": summary.imported,
            **summary.label.to_dict(),
        }
    put(options.json, content, lambda: table.run_table(result, cached=True))
    warn(cautions_of(result))
    return OK


def _verify(options: argparse.Namespace) -> int:
    store = RunStore()
    damaged = store.verify()
    Library(store).rebuild()
    whole = store.keys()
    foreign = store.foreign()
    content = {
        "intact": whole,
        "damaged": [{"key": e.key, "file": e.file, "reason": str(e)} for e in damaged],
        "foreign": [e.key for e in foreign],
    }
    put(options.json, content, lambda: table.integrity(len(whole), [str(error) for error in (*damaged, *foreign)]))
    return BAD_INPUT if damaged else OK


def _delete(options: argparse.Namespace) -> int:
    store = RunStore()
    key = _key(options.key, store.keys())
    store.delete(key)
    put(
        options.json,
        {"deleted": key},
        lambda: f"Run {key} is in the trash. Undo: {PROGRAM} runs restore {key}",
    )
    return OK


def _restore(options: argparse.Namespace) -> int:
    store = RunStore()
    key = _key(options.key, store.trashed())
    store.restore(key)
    put(options.json, {"restored": key}, lambda: f"Run {key} is back.")
    return OK


def _empty_trash(options: argparse.Namespace) -> int:
    gone = RunStore().empty_trash()
    put(options.json, {"destroyed": gone}, lambda: f"Deleted for good: {gone} of trash and quarantine.")
    return OK


def _export(options: argparse.Namespace) -> int:
    store = RunStore()
    key = _key(options.key, store.keys())
    check_target(options.file, "FILE")
    export_run(store, key, options.file)
    size = os.path.getsize(options.file)
    put(
        options.json,
        {"exported": key, "file": options.file, "bytes": size},
        lambda: f"Run {key} is in {options.file}{place(options.file)}, {size / 1e6:.1f} MB.",
    )
    return OK


def _import(options: argparse.Namespace) -> int:
    store = RunStore()
    try:
        key, new = import_run(store, options.file), True
    except AlreadyStored as stored:
        key, new = stored.key, False
    outcome = f"is imported into {store.root}." if new else "is stored here already; nothing was changed."
    if not _rows_here(store, key):
        outcome += " The rows of its table are not in it: load its file on the page Data, and keep it there."
    put(options.json, {"key": key, "imported": new}, lambda: f"Run {key} {outcome}")
    return OK


def _rows_here(store: RunStore, key: str) -> bool:
    found = store.summary(key)
    table = None if found is None else found.config.table
    return not isinstance(table, TableSource) or KeptTables(store).has(table.content)


def _key(text: str, keys: Sequence[str]) -> str:
    """The key that `text` is, or is the beginning of; `text` itself if there is none."""
    found = [key for key in dict.fromkeys(keys) if text and key.startswith(text.lower())]
    if len(text) < LEAST_OF_KEY:
        raise ValueError(f"{text or 'nothing'} is too short to name a run; type {LEAST_OF_KEY} digits of its key.")
    if len(found) > 1 and text.lower() not in found:
        raise ValueError(f"{len(found)} runs begin with {text}; type more of the key: {', '.join(found[:5])}.")
    return text.lower() if text.lower() in found else found[0] if found else text
