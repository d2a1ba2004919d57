"""The application: `create_app` puts a model, its limits, its monitor and its metrics together."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import APIKeyHeader
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from crl_core.data.tables.columns import Column
from crl_core.export.model_file import Model, open_model
from crl_core.serve.answers import effects_of
from crl_core.serve.bodies import About, Effects, Health, Problem, request_body
from crl_core.serve.docs import add_docs
from crl_core.serve.middleware import ALIVE, Guard
from crl_core.serve.monitor import DRIFTED, OK, WARMING_UP, Monitor, State
from crl_core.serve.prometheus import Measures
from crl_core.serve.proxy import BehindProxy
from crl_core.serve.records import BadCell, covariates_of, inputs_of
from crl_core.serve.settings import MOST_ABS, Settings

UNNAMED = "unnamed"  # the label of rows that came without one
_RANK = {OK: 0, WARMING_UP: 1, DRIFTED: 2}
_REFUSALS: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (400, 401, 405, 408, 413, 422, 503)}


def create_app(model_file: str | Path, settings: Settings | None = None) -> FastAPI:
    """The ASGI application of one exported file. Raises ModelRefused (a ValueError) if it is none."""
    model = open_model(model_file)
    settings = (settings or Settings()).with_room(len(model.features))
    monitor = Monitor(model.reference, model.environment, settings)
    measures = Measures(model, monitor)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        monitor.close()

    app = FastAPI(
        title="Individual treatment effects",
        version="1",
        lifespan=lifespan,
        debug=False,
        docs_url=None,
        redoc_url=None,
        description=(
            f"CFRNet {model.name}, λ = {model.lam:g}. Effects are the model's estimates; see `invariance` before "
            f"trusting them." + "".join(f"\n\n**Caution.** {caution}" for caution in model.cautions)
        ),
    )
    app.state.monitor, app.state.model = monitor, model
    app.add_middleware(BehindProxy, root_path=settings.root_path, trusted_proxies=settings.trusted_proxies)
    app.add_middleware(Guard, settings=settings, done=measures.answered)  # outermost
    add_docs(app)
    _answer_problems(app, model.features)
    # The guard asks for the key; here the description says so.
    guarded = [Depends(APIKeyHeader(name="X-API-Key", auto_error=False))] if settings.api_key is not None else []
    refusals = {code: said for code, said in _REFUSALS.items() if settings.api_key is not None or code != 401}
    body_type, columns = request_body(model, settings), covariates_of(model.metadata)

    async def effects(request: Request, body: Any) -> dict[str, Any]:
        x, filled = _inputs(columns, body.rows)
        labels = _labels(body.environments, len(x))
        notes = request.scope["state"]["notes"]
        notes |= {"rows": len(x), "environments": dict(Counter(labels).most_common(5))}
        if settings.log_features:
            notes["features"] = body.rows
        try:
            said, (_, _, phi) = effects_of(model, x)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        states = _watch(monitor, labels, phi)
        measures.rows.inc(len(x))
        worst = max(states.values(), key=lambda state: (_RANK[state.status], -(state.p or 1.0)))
        return {
            **said,
            "invariance": {
                "status": worst.status,
                "p": worst.p,
                "environments": {label: state.status for label, state in states.items()},
            },
            "notes": filled,
        }

    effects.__annotations__["body"] = body_type
    app.post(
        "/v1/effects",
        response_model=Effects,
        responses=refusals,
        dependencies=guarded,
        summary="Effects of rows",
    )(effects)

    @app.get("/v1/model", response_model=About, responses=refusals, dependencies=guarded, summary="What is served")
    async def about() -> dict[str, Any]:
        said = model.metadata
        kept = ("key", "format", "features", "metrics", "versions", "config")
        return {
            "model": model.name,
            "lam": model.lam,
            "max_rows": settings.max_rows,
            "trace": model.trace,
            "cautions": list(model.cautions),
            **{name: said[name] for name in kept},
        }

    @app.get(ALIVE, response_model=Health, summary="Is it up?")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", dependencies=guarded, summary="Prometheus metrics", response_class=Response, responses={
        200: {"content": {"text/plain": {}}}, **{code: said for code, said in refusals.items() if code == 401}
    })  # fmt: skip
    def metrics() -> Response:
        return Response(generate_latest(measures.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return app


def _inputs(columns: Sequence[Column], rows: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """What the model is given, [n, d] float32, and what was filled in."""
    if not all(isinstance(row, dict) for row in rows):
        if any(isinstance(row, dict) for row in rows):
            raise HTTPException(422, "some rows are objects and some are lists; send all of them in one form.")
        return np.asarray(rows, dtype=np.float32), []
    try:
        x, filled = inputs_of(columns, rows)
    except BadCell as error:
        raise HTTPException(422, str(error)) from None
    if not (np.abs(x) <= MOST_ABS).all():
        raise HTTPException(422, f"a number is beyond ± {MOST_ABS:g}, where the model has no digits left.")
    return x, filled


def _labels(environments: list[str] | None, n: int) -> list[str]:
    if not environments:
        return [UNNAMED] * n
    if len(environments) == 1:
        return environments * n
    if len(environments) != n:
        raise HTTPException(
            422, f"there are {len(environments)} environments for {n} rows; give one a row, or one for all."
        )
    return environments


def _watch(monitor: Monitor, labels: list[str], phi: np.ndarray) -> dict[str, State]:
    names = np.asarray(labels)
    states = {}
    for label in dict.fromkeys(labels):
        monitor.add(label, phi[names == label])
        states[label] = monitor.state(label)
    return states


def _answer_problems(app: FastAPI, features: Sequence[str]) -> None:
    """Refusals are one sentence each, and never repeat what was sent."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return _problem(
                request,
                422,
                f"the body must be JSON, sent with the header content-type: application/json; see {_docs(request)}.",
            )
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:4] if str(part).isascii())[:60]
        said = _of_row(first, features) or " ".join(str(first["msg"]).split())[:160]
        way_out = f"see {_docs(request)} for what is expected and an example that works."
        return _problem(request, 422, f"{where}: {said}; {way_out}")

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        said = {
            400: f"the body is not JSON that can be read; see {_docs(request)} for what is expected.",
            404: f"there is nothing at this address; see {_docs(request)} for those there are.",
            405: f"this address takes {(error.headers or {}).get('Allow', 'another method')} only; see "
            f"{_docs(request)}.",
        }.get(error.status_code, str(error.detail))
        return _problem(request, error.status_code, said, error.headers)


def _of_row(error: Any, features: Sequence[str]) -> str:
    """What a row lacks, or which of its numbers is none, by the features' names; "" where it is not of a row's list."""
    names = f"{', '.join(features[:4])}{', …' if len(features) > 4 else ''}"
    match error["loc"]:
        case ("body", "rows", int(), *_) if error["type"] in ("too_short", "too_long"):
            return f"give {len(features)} numbers, {names}; this row has {error['ctx']['actual_length']}"
        case ("body", "rows", int(), *_, int(at)) if at < len(features):
            return f"{features[at]}: {' '.join(str(error['msg']).split())[:120]}"
    return ""


def _docs(request: Request) -> str:
    """The address of the documentation as the one who asked sees it, behind a proxy or not."""
    return f"{request.scope.get('root_path', '')}/docs"


def _problem(request: Request, status: int, error: str, headers: Any = None) -> JSONResponse:
    content = {"error": error, "request_id": request.scope["state"]["request_id"]}
    return JSONResponse(content, status, headers)


__all__ = ["Model", "create_app"]
