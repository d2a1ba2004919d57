"""Metrics for Prometheus: requests, rows, latencies, and the monitor's last test of each label."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crl_core.export.model_file import Model
from crl_core.serve.monitor import DRIFTED, Monitor

_PATHS = ("/v1/effects", "/v1/model", "/healthz", "/metrics", "/openapi.json", "/docs")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0)


class Measures:
    """One registry an application. Labels are bounded: known paths, statuses, and the monitor's places."""

    def __init__(self, model: Model, monitor: Monitor) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter("crl_rows", "Rows answered", registry=self.registry)
        self._requests = Counter("crl_requests", "Requests", ("path", "status"), registry=self.registry)
        self._seconds = Histogram(
            "crl_request_seconds", "Time to answer", ("path",), buckets=_BUCKETS, registry=self.registry
        )
        self.registry.register(_Invariance(model, monitor))

    def answered(self, path: str, status: int, seconds: float) -> None:
        known = path if path in _PATHS else "other"
        self._requests.labels(known, str(status)).inc()
        self._seconds.labels(known).observe(seconds)


class _Invariance(Collector):
    """Figures of the monitor, read when asked, so that nothing is kept twice."""

    def __init__(self, model: Model, monitor: Monitor) -> None:
        self._model, self._monitor = model, monitor

    def collect(self) -> Iterable[Metric]:
        p = GaugeMetricFamily("crl_invariance_p", "Permutation p-value of the last test", labels=["environment"])
        mmd2 = GaugeMetricFamily("crl_invariance_mmd2", "Latent MMD² against held-out rows", labels=["environment"])
        drifted = GaugeMetricFamily("crl_invariance_drifted", "1 where the last test alarmed", labels=["environment"])
        alarms = CounterMetricFamily("crl_invariance_alarms", "Tests that alarmed", labels=["environment"])
        tests = CounterMetricFamily("crl_invariance_tests", "Tests made", labels=["environment"])
        for label, state in self._monitor.states().items():
            if state.p is not None and state.mmd2 is not None:
                p.add_metric([label], state.p)
                mmd2.add_metric([label], state.mmd2)
            drifted.add_metric([label], float(state.status == DRIFTED))
            alarms.add_metric([label], state.alarms)
            tests.add_metric([label], state.tests)
        about = GaugeMetricFamily("crl_model", "What is served", labels=["model", "lam"])
        about.add_metric([self._model.name, f"{self._model.lam:g}"], 1)
        return [p, mmd2, drifted, alarms, tests, about]
