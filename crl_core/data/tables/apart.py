"""A person's file, read in a process of its own: a bad one takes neither the memory nor the time of whoever asks.

Started as: python -m crl_core.data.tables.apart SPARE, the file on standard input, SPARE the bytes that it may take
            beyond those of its libraries (no limit where the system has none).
Answer:     on standard output, "refused" or "read" and a line end, then a sentence, or the columns as an Arrow stream;
            nothing of it is unpickled, and nothing touches a disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
import pyarrow as pa

from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.reading import read_table

SPARE = 1_500_000_000  # bytes
LIMIT_S = 120.0
FITS = "100,000 rows of 200 columns"  # measured: 1.1 GB
_AT_ONCE = BoundedSemaphore(2)  # readers of one server
_NO_MEMORY = 3  # exit status
_NOTES = b"notes"
_ALONE = {  # one thread, and no address space that is only kept at hand
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def read_apart(content: bytes, *, spare: int = SPARE, limit_s: float = LIMIT_S) -> Raw:
    """The columns of a file, as `read_table` gives them.

    spare:   bytes of memory that reading may take.
    limit_s: seconds that it may take.
    Raises:  TableRefused with one sentence: what `read_table` says, or that time or memory did not suffice.
    """
    paths = [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
    size = f"the file of {len(content) / 1e6:.3g} MB"
    with _AT_ONCE:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "crl_core.data.tables.apart", str(spare)],
                input=content,
                capture_output=True,
                timeout=limit_s,
                env=os.environ | _ALONE | {"PYTHONPATH": os.pathsep.join(paths)},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TableRefused(
                f"{size} was not read in {limit_s:g} s; {FITS} are, so give fewer rows or columns."
            ) from None
        except OSError as error:
            raise TableRefused(
                f"{size} was not read, since no process could be started ({error.strerror}); try again later."
            ) from None
    kind, _, rest = done.stdout.partition(b"\n")
    if done.returncode == 0 and kind == b"refused":
        raise TableRefused(rest.decode())
    if done.returncode == 0 and kind == b"read":
        return _from_stream(rest)
    why = (
        f"takes more than the {spare / 1e9:.3g} GB of memory that reading has"
        if done.returncode == _NO_MEMORY
        else f"stopped its reader (exit status {done.returncode})"
    )
    raise TableRefused(f"{size} {why}; {FITS} fit, so give fewer rows or columns, or shorter texts.")


def _from_stream(stream: bytes) -> Raw:
    table = pa.ipc.open_stream(stream).read_all()
    columns = {name: np.array(table.column(name).to_numpy()) for name in table.column_names}
    return Raw(columns=columns, notes=tuple(json.loads(table.schema.metadata[_NOTES])))


def _to_stream(raw: Raw) -> None:
    arrays = [
        pa.array(values, type=pa.large_string() if values.dtype.kind == "O" else None, from_pandas=False)
        for values in raw.columns.values()
    ]
    notes = {_NOTES: json.dumps(raw.notes).encode()}
    batch = pa.record_batch(arrays, names=list(raw.columns)).replace_schema_metadata(notes)
    with pa.ipc.new_stream(pa.PythonFile(sys.stdout.buffer, mode="w"), batch.schema) as stream:
        stream.write_batch(batch)


def _hold_to(spare: int) -> None:
    """Let this process take no more than `spare` bytes beyond what it has."""
    try:
        import resource  # not on Windows

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + spare
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ImportError, OSError, ValueError):
        pass  # this system has no such limit


def main() -> None:
    """What the process does."""
    _hold_to(int(sys.argv[1]))
    try:
        try:
            raw = read_table(sys.stdin.buffer.read())
        except TableRefused as refused:
            sys.stdout.buffer.write(b"refused\n" + str(refused).encode())
        else:
            sys.stdout.buffer.write(b"read\n")
            _to_stream(raw)
        sys.stdout.buffer.flush()
    except MemoryError:
        os._exit(_NO_MEMORY)  # what is half made may not even be put away
    os._exit(0)  # Arrow's threads, taken down while one of them still begins, now and then abort the process


if __name__ == "__main__":
    main()
