"""How fast an exported model answers: python benchmarks/serve.py [--seconds N] [--minutes N] [--mlserver PYTHON]
[--json FILE]

Over HTTP:   200 requests a second of one row from this process to a server in another, on loopback; latency from the
             moment a request was due, so that waiting counts (budget p50 < 10 ms, p99 < 50 ms). Then as many as eight
             connections can send. The same for a plain FastAPI app around eager PyTorch, without checks, monitor,
             metrics or log; and with --mlserver for MLServer in its default setting around the same int8 file (PYTHON:
             of an environment with `pip install mlserver onnxruntime "uvloop<0.22"`; with a newer uvloop its worker
             does not start).
In process:  one row, NumPy to NumPy, ONNX int8 and float32 against eager PyTorch, one thread (budget 5 times faster).
--minutes:   so many minutes of 200 requests a second from ten sites, one of them shifted: errors, and the server's
             memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import psutil
from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from crl_core import PRESETS, RunStore  # noqa: E402
from crl_core.cli.table import text_table  # noqa: E402

LAM, RATE, CONNECTIONS = 1.9, 200, 8
PATH = "/v1/effects"


class PlainBody(BaseModel):
    rows: list[list[float]]
    environments: list[str] | None = None


def plain(port: int) -> None:
    """What one would write in five minutes."""
    import torch
    import uvicorn
    from fastapi import FastAPI

    from crl_core.export.models import subject

    torch.set_num_threads(1)
    network = subject(RunStore().load(PRESETS["hospital"].config.key), LAM).network
    app = FastAPI()

    @app.post("/v1/effects")
    async def effects(body: PlainBody) -> dict[str, list[float]]:
        with torch.inference_mode():
            y0, y1, _ = network(torch.tensor(body.rows))
        return {"y0": y0.tolist(), "y1": y1.tolist(), "ite": (y1 - y0).tolist()}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


_MLSERVER_RUNTIME = """
import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

class Effects(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        y0, y1, _ = self.session.run(["y0", "y1", "phi"], {"x": x})
        outputs = [NumpyCodec.encode_output(name, value) for name, value in (("y0", y0), ("y1", y1), ("ite", y1 - y0))]
        return InferenceResponse(model_name=self.name, outputs=outputs)
"""


def mlserver_folder(folder: Path, port: int) -> Path:
    """What MLServer needs to serve the same file."""
    target = folder / "effects"
    target.mkdir()
    (target / "runtime.py").write_text(_MLSERVER_RUNTIME)
    model = {
        "name": "effects",
        "implementation": "runtime.Effects",
        "parameters": {"uri": str(folder / "model.onnx")},
    }
    (target / "model-settings.json").write_text(json.dumps(model))
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "host": "127.0.0.1"}
    (target / "settings.json").write_text(json.dumps(ports))
    return target


def in_its_protocol(body: bytes) -> bytes:
    rows = np.array(json.loads(body)["rows"])
    tensor = {"name": "x", "shape": rows.shape, "datatype": "FP32", "data": rows.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


class Client:
    """Keep-alive connections that speak just enough HTTP."""

    def __init__(self, port: int, path: str) -> None:
        self.port, self.path, self.errors = port, path.encode(), 0
        self.free: asyncio.Queue[Any] = asyncio.Queue()

    async def open(self) -> None:
        for _ in range(CONNECTIONS):
            await self.free.put(await asyncio.open_connection("127.0.0.1", self.port))

    async def ask(self, body: bytes) -> None:
        reader, writer = await self.free.get()
        writer.write(
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (self.path, len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        self.errors += b" 200 " not in head.split(b"\r\n")[0]
        await self.free.put((reader, writer))

    def close(self) -> None:
        while not self.free.empty():
            self.free.get_nowait()[1].close()


def bodies(shifted: bool) -> list[bytes]:
    from crl_core.data.interventions import deploy

    scenario = PRESETS["hospital"].config.scenario
    rows, moved = (deploy(scenario, "z-shift", dose, 2000, 5).x for dose in (0.0, 1.5))
    return [
        json.dumps(
            {
                "rows": [(moved if shifted and at % 10 == 9 else rows)[at].tolist()],
                "environments": [f"site-{at % 10}"],
            }
        ).encode()
        for at in np.random.default_rng(0).permutation(2000)
    ]


async def at_rate(port: int, seconds: float, sent: list[bytes], path: str = PATH) -> tuple[np.ndarray, int]:
    """Latencies [n] in ms from when each request was due, and how many failed."""
    client = Client(port, path)
    await client.open()
    n = int(RATE * seconds)
    taken = np.empty(n)
    start = time.perf_counter() + 0.1

    async def one(at: int) -> None:
        await client.ask(sent[at % len(sent)])
        taken[at] = 1e3 * (time.perf_counter() - start - at / RATE)

    tasks = set()
    for at in range(n):
        await asyncio.sleep(max(0.0, start + at / RATE - time.perf_counter()))
        task = asyncio.create_task(one(at))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    client.close()
    return taken, client.errors


async def throughput(port: int, seconds: float, sent: list[bytes], path: str = PATH) -> float:
    client = Client(port, path)
    await client.open()
    end, done = time.perf_counter() + seconds, 0

    async def worker(at: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await client.ask(sent[(at + done) % len(sent)])
            done += 1

    await asyncio.gather(*(worker(at) for at in range(CONNECTIONS)))
    client.close()
    return done / seconds


class Running:
    """A server in a process of its own, once it answers."""

    def __init__(self, command: list[str], port: int, python: str = sys.executable, cwd: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [python, *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(cwd)},
        )
        self.port = port

    def wait(self, body: bytes, path: str) -> None:
        for _ in range(300):
            request = Request(f"http://127.0.0.1:{self.port}{path}", body, {"content-type": "application/json"})
            try:
                urlopen(request, timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"a server did not start: {self.process.args}")

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def memory_mb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)


def over_http(folder: Path, seconds: float, minutes: float, port: int, mlserver: str | None) -> dict[str, float]:
    sent, found = bodies(shifted=True), {}
    served = ["-m", "crl_core.serve", str(folder / "model.onnx"), "--port", str(port)]
    servers = [
        ("serve", Running(served, port), sent, PATH),
        ("plain", Running([__file__, "--plain", str(port + 1)], port + 1), sent, PATH),
    ]
    if mlserver is not None:
        where = mlserver_folder(folder, port + 2)
        running = Running(
            ["-c", "from mlserver.cli import main; main()", "start", str(where)], port + 2, mlserver, where
        )
        servers.append(("mlserver", running, [in_its_protocol(body) for body in sent], "/v2/models/effects/infer"))
    with ExitStack() as stack:
        for _, server, own, path in servers:
            stack.enter_context(server)
            server.wait(own[0], path)
            asyncio.run(at_rate(server.port, 2, own, path))
        for name, server, own, path in servers:
            taken, errors = asyncio.run(at_rate(server.port, seconds, own, path))
            p50, p95, p99 = np.quantile(taken, (0.5, 0.95, 0.99))
            found |= {
                f"{name}_p50_ms": p50,
                f"{name}_p95_ms": p95,
                f"{name}_p99_ms": p99,
                f"{name}_errors": errors,
            }
            found[f"{name}_requests_a_second"] = asyncio.run(throughput(server.port, min(seconds, 5), own, path))
    if minutes:
        with Running(served, port) as server:
            server.wait(sent[0], PATH)
            found |= load(server, minutes, sent)
    return found


def load(server: Running, minutes: float, sent: list[bytes]) -> dict[str, float]:
    memory, errors, taken = [], 0, []
    for _ in range(max(2, round(minutes * 6))):
        ten, failed = asyncio.run(at_rate(server.port, 10, sent))
        memory.append(server.memory_mb())
        errors += failed
        taken.append(ten)
    p50, p99 = np.quantile(np.concatenate(taken), (0.5, 0.99))
    quarter = max(1, len(memory) // 4)
    return {
        "load_minutes": len(memory) / 6,
        "load_errors": errors,
        "load_p50_ms": p50,
        "load_p99_ms": p99,
        "load_memory_first_mb": float(np.median(memory[:quarter])),
        "load_memory_last_mb": float(np.median(memory[-quarter:])),
    }


def in_process(folder: Path) -> dict[str, float]:
    """Median microseconds of one row, runs of the three taken in turns so that a busy machine slows all alike."""
    from crl_core.export.model_file import read_model
    from crl_core.export.models import export_model, subject
    from crl_core.export.models.torch_files import one_thread, run_torch

    made_of = subject(RunStore().load(PRESETS["hospital"].config.key), LAM)
    files = {name: export_model(made_of, name) for name in ("onnx", "onnx-int8")}
    (folder / "model.onnx").write_bytes(files["onnx-int8"])
    x = made_of.held_out.x[:1].astype(np.float32)
    calls = {name: partial(read_model(content, name).run, x) for name, content in files.items()}
    calls["eager"] = partial(run_torch(made_of.network), x)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    with one_thread():
        for turn in range(40):
            for name, call in calls.items():
                for _ in range(50):
                    start = time.perf_counter()
                    call()
                    if turn:
                        taken[name].append(1e6 * (time.perf_counter() - start))
    median = {f"{name}_us": float(np.median(values)) for name, values in taken.items()}
    return median | {"int8_times_faster_than_eager": median["eager_us"] / median["onnx-int8_us"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--minutes", type=float, default=0, help="of load on top; 10 for the full test")
    parser.add_argument("--mlserver", metavar="PYTHON", help="of an environment in which MLServer is installed")
    parser.add_argument("--port", type=int, default=8792)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plain", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        plain(options.plain)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = in_process(Path(folder))
        found |= over_http(Path(folder), options.seconds, options.minutes, options.port, options.mlserver)
    print(text_table(("measure", "value"), [(name, f"{value:.3g}") for name, value in found.items()]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
