"""Speed, as ratios within one run: python benchmarks/run.py [--rounds 5] [--epochs 4] [--json FILE]

Compared on the same data and machine, in turn, several rounds; the ratio of each round, then the median of the rounds:
one model in PyTorch Lightning, one model here, the default 16-λ path here, and that path's bare matrix products.
Then: from the click on Train to the first point on the page (ten clicks on fresh servers, ten on a warm one), the first
page of a fresh server, memory, opening a stored run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import torch

from benchmarks.lightning_recipe import fit
from crl_core import RunConfig, Training, preset, train
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.results import N_MMD
from crl_core.training.path import warm_up

CLICKS = 10


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bare_products(config: RunConfig) -> Callable[[], None]:
    """The path's matrix products alone, with its shapes and counts: no activation, loss, kernel, optimiser or
    metric."""
    training, n = config.training, config.scenario.n_samples
    models, b, h, k, d = (
        training.n_models,
        training.batch_size,
        training.hidden,
        training.latent_dim,
        config.scenario.dim_x,
    )
    layers = [(d, h), (h, h), (h, k), (k, 2 * (h // 2))]
    steps = round(0.8 * n) // b

    def tensors(rows: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        return [
            (torch.randn(models, rows, i), torch.randn(models, i, o), torch.randn(models, rows, o)) for i, o in layers
        ]

    batch, held_out = tensors(b), tensors(round(0.2 * n))
    phi, kernel = torch.randn(models, b, k), torch.randn(models, b, b)
    arms, last, outcomes = (
        torch.randn(models, b, 2 * (h // 2)),
        torch.randn(models, 2 * (h // 2), 2),
        torch.randn(models, b, 2),
    )
    pairs = torch.randn(1, b, config.scenario.n_envs + 1)
    phi_view = torch.randn(models, N_MMD, k)

    def work() -> None:
        for _ in range(training.epochs):
            for _ in range(steps):
                for index, (rows, weight, grad) in enumerate(batch):
                    torch.bmm(rows, weight)
                    torch.bmm(rows.mT, grad)
                    if index > 0:
                        torch.bmm(grad, weight.mT)
                torch.bmm(arms, last)
                torch.bmm(arms.mT, outcomes)
                torch.bmm(outcomes, last.mT)
                torch.bmm(pairs, pairs.mT)
                torch.bmm(phi, phi.mT)
                torch.bmm(kernel, phi)
            for rows, weight, _ in held_out:
                torch.bmm(rows, weight)
            torch.bmm(phi_view, phi_view.mT)

    return work


def training_ratios(rounds: int, epochs: int) -> dict[str, float]:
    """Median over rounds of each ratio; every round times all four, one after the other."""
    base = preset("recipe")
    path = replace(base, training=Training(replicates=1, epochs=epochs))
    one = replace(base, training=Training(replicates=1, epochs=epochs, lams=(1.0,)))
    bare = bare_products(path)
    warm_up()
    fit(replace(one, training=replace(one.training, epochs=1)), 1.0)
    bare()
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        t_lightning, t_one = seconds(lambda: fit(one, 1.0)), seconds(lambda: train(one))
        t_path, t_bare = seconds(lambda: train(path)), seconds(bare)
        per_model = t_path / path.training.n_models
        for name, value in {
            "lightning_s_per_epoch": t_lightning / epochs,
            "one_model_s_per_epoch": t_one / epochs,
            "path_s_per_epoch": t_path / epochs,
            "one_model_vs_lightning": t_lightning / t_one,
            "path_per_model_vs_lightning": t_lightning / per_model,
            "path_vs_bare_products": t_path / t_bare,
        }.items():
            found.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def stored_run_figures() -> dict[str, float]:
    """Memory of the worker after a default run's length of work, and opening the stored run in a fresh process."""
    from crl_core.jobs.manager import JobManager
    from crl_core.runs.store import RunStore

    base = preset("hospital")
    config = replace(base, training=replace(base.training, epochs=3, seed=1))
    with tempfile.TemporaryDirectory() as folder:
        manager = JobManager(RunStore(folder))
        try:
            key = manager.submit(config)
            while manager.state(key).phase not in ("completed", "failed"):
                time.sleep(0.05)
            workers = psutil.Process().children(recursive=True)
            found = {"worker_mb": max(child.memory_info().rss for child in workers) / 2**20}
        finally:
            manager.close()
        code = (
            "import sys, time; began = time.perf_counter()\n"
            "from crl_core import RunStore\n"
            f"RunStore({folder!r}).load({key!r})\n"
            "assert 'torch' not in sys.modules\n"
            "print(time.perf_counter() - began)"
        )
        opened = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return found | {"open_stored_run_cold_s": float(opened.stdout)}


def import_figures() -> dict[str, float]:
    """`import crl_core` in fresh processes, median of ten, less what Python itself takes to start."""

    def started(code: str) -> float:
        return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))

    taken = [started("import crl_core") - started("pass") for _ in range(10)]
    return {"import_s": statistics.median(taken)}


def page_figures() -> dict[str, float]:
    """In a real browser: the first page, from the click on Train to the first point on it, and the server's memory.

    cold: the click comes as soon as a fresh server has drawn its first page.  warm: other runs of the same size, later.
    The first page of a fresh server is opened by a visitor who never came before; so is the second, for comparison.
    """
    from playwright.sync_api import Page, sync_playwright

    chart = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"

    def visit(port: int) -> float:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        taken = seconds(
            lambda: (page.goto(f"http://127.0.0.1:{port}/?preset={DEFAULT_PRESET}"), page.wait_for_selector(chart))
        )
        page.close()
        return taken

    def click_to_point(page: Page, port: int, seed: int) -> float:
        page.goto(f"http://127.0.0.1:{port}/?epochs=4&seed={seed}")
        page.wait_for_selector(chart)
        button = page.get_by_test_id("stSidebar").get_by_role("button", name="Train", exact=True)
        button.wait_for()
        began = time.perf_counter()
        button.click()
        # The same fragment draws the figures of the λ in view and the curves.
        page.wait_for_function(
            "/λ shown\\s+[0-9]/.test(document.querySelector('[data-testid=stMain]').innerText)",
            polling=10,
        )
        taken = time.perf_counter() - began
        page.get_by_text("Already trained").first.wait_for(timeout=120_000)
        return taken

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    cold: list[float] = []
    warm: list[float] = []
    visits: list[tuple[float, float]] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(CLICKS):
            with fresh_server() as (_server, port):
                visits.append((visit(port), visit(port)))
        for fresh in range(CLICKS):
            with fresh_server() as (server, port):
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                cold.append(click_to_point(page, port, 1))
                if fresh == 0:
                    warm = [click_to_point(page, port, 2 + click) for click in range(CLICKS)]
                    memory = psutil.Process(server.pid).memory_info().rss / 2**20
                page.close()
        browser.close()
    first, second = zip(*visits, strict=True)
    found = {"server_mb": memory, "first_page_s": statistics.median(first), "second_page_s": statistics.median(second)}
    for name, clicks in (("cold", cold), ("warm", warm)):
        found |= {f"click_to_point_{name}_s": statistics.median(clicks), f"click_to_point_{name}_p95_s": p95(clicks)}
    return found


def p95(values: list[float]) -> float:
    """The value that all but a twentieth stay below; of ten the largest."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


@contextmanager
def fresh_server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server with an empty cache that answers, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.address", "127.0.0.1"]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, *command],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"CRL_CACHE": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health"):
                    break
                time.sleep(0.05)
            yield server, port
        finally:
            server.terminate()
            server.wait(timeout=15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as a user's Python: modules are compiled at the first start only
    figures = training_ratios(options.rounds, options.epochs) | stored_run_figures() | import_figures() | page_figures()
    about = {"python": platform.python_version(), "torch": torch.__version__, "cores": os.cpu_count()}
    budgets = {
        "one_model_vs_lightning": "at least 8",
        "path_per_model_vs_lightning": "at least 25",
        "path_vs_bare_products": "at most 2",
        "click_to_point_warm_s": "at most 0.5",
        "click_to_point_cold_s": "at most 4",
        "first_page_s": "at most 1.5",
        "server_mb": "at most 300",
        "worker_mb": "at most 700",
        "open_stored_run_cold_s": "at most 3",
        "import_s": "at most 0.15",
    }
    for name, value in figures.items():
        print(f"{name:32} {value:10.3f}   {budgets.get(name, '')}")
    if options.json:
        options.json.write_text(json.dumps(about | figures, indent=1))


if __name__ == "__main__":
    main()
