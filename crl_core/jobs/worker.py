"""The process that trains: python -m crl_core.jobs.worker ROOT BAKED QUOTA_BYTES.

In:   one JSON line a job on standard input, as `executors.Job.to_dict` makes it.
Out:  one JSON line on standard output when it is warm, {"ready": true}, and one a job, {"key", "ending", "reason"}.
      Everything else that it has to say goes to the run's events, and to standard error.
Ends: when standard input closes, at once, even in the middle of a run: whoever asked is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any, TextIO

from crl_core.data.tables.source import TableSource, forget
from crl_core.jobs.executors import Job, carry_out_job
from crl_core.runs.kept_tables import KeptTables
from crl_core.runs.store import RunStore


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole group; the server decides
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a stray print must not look like a reply
    root, baked, quota_bytes = arguments
    store = RunStore(root, baked, int(quota_bytes))
    KeptTables(store).serve_rows()
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()

    from crl_core.training.path import warm_up

    warm_up()
    _reply(replies, {"ready": True})
    while True:
        job = Job.from_dict(jobs.get())
        outcome = carry_out_job(job, store)
        if job.config is not None and isinstance(job.config.table, TableSource):
            forget(job.config.table.content)  # the table may be forgotten before the next job comes
        _reply(replies, {"key": job.key, "ending": outcome.ending, "reason": outcome.reason})


def _read_jobs(jobs: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


def _reply(replies: TextIO, content: dict[str, Any]) -> None:
    try:
        print(json.dumps(content), file=replies, flush=True)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
