"""Who trains the runs of a command: this process, several on this machine, or the workers of a Dask scheduler."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from crl_core.config.numbers import option
from crl_core.jobs.cluster import DaskCluster
from crl_core.jobs.executors import Executor, Here
from crl_core.jobs.local_pool import MOST, LocalPool, cores
from crl_core.jobs.train_and_store import Listener
from crl_core.runs.store import RunStore


def add_worker_options(parser: argparse.ArgumentParser, default: str = "this process alone") -> None:
    """`--workers`, `--executor` and `--scheduler`. default: who trains where none of them is given."""
    parser.add_argument("--executor", choices=("local", "dask"), help="default local; dask with --scheduler")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, tcp://HOST:PORT")
    parser.add_argument(
        "--workers",
        type=option(unit="workers", whole=True),
        metavar="N",
        help=f"processes on this machine, 1 to {MOST}; default {default}",
    )


@contextmanager
def workers(options: argparse.Namespace, store: RunStore, listen: Listener | None = None) -> Iterator[Executor]:
    """The executor that was asked for; by default this process, whose events `listen` hears. Raises ValueError."""
    executor = asked_for(options, store) or Here(store, listen)
    try:
        yield executor
    finally:
        executor.close()


def asked_for(options: argparse.Namespace, store: RunStore) -> Executor | None:
    """The executor that was asked for; None where none was. Raises ValueError."""
    if options.executor == "dask" and not options.scheduler:
        raise ValueError("--executor dask needs --scheduler tcp://HOST:PORT.")
    if options.scheduler:
        if options.executor == "local" or options.workers is not None:
            raise ValueError("--scheduler takes the workers of the cluster; leave out --workers and --executor local.")
        return DaskCluster(store, options.scheduler)
    if options.workers is None and options.executor is None:
        return None
    return LocalPool(store, options.workers)


def size(options: argparse.Namespace, store: RunStore) -> tuple[int, str]:
    """How many runs are computed at one time, and where."""
    executor = asked_for(options, store)
    if not isinstance(executor, DaskCluster):
        n = cores() if executor is None else executor.slots
        return n, f"here, {n} at a time"
    threads = max(1, executor.threads)
    executor.close()
    return threads, f"on the cluster, {threads} at a time"
