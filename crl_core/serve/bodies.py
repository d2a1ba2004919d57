"""Requests and answers as pydantic models: the OpenAPI page and the checks are one text."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from crl_core.export.model_file import Model
from crl_core.serve.records import covariates_of, examples_of
from crl_core.serve.settings import MOST_ABS, Settings

LABEL = r"^[A-Za-z0-9][A-Za-z0-9 ._:/-]*$"  # no control characters, no quotes: safe in a log line and in a metric


_MOST_CELL = 200  # characters of a text


class Invariance(BaseModel):
    """Does the traffic's latent still look like training? The worst of the request's labels."""

    status: str = Field(examples=["ok"], description="ok, drifted or warming up")
    p: float | None = Field(description="permutation p-value of the last test; null before the first")
    environments: dict[str, str] = Field(description="status of each label of this request")


class Effects(BaseModel):
    """One value a row, in the order sent."""

    y0: list[float]
    y1: list[float]
    ite: list[float]
    lam: float
    model: str
    invariance: Invariance
    outside_range: list[list[str]] = Field(
        description="of each row the inputs that lie outside of what training saw: there the effect is a guess"
    )
    notes: list[str] = Field(default=[], description="cells that were missing or of a level that training did not see")


class About(BaseModel):
    """What is served."""

    model: str
    lam: float
    key: str
    format: str
    features: list[dict[str, Any]]
    trace: str = Field(description="what a row of samples is; empty where rows are covariates")
    metrics: dict[str, float]
    versions: dict[str, str]
    config: dict[str, Any]
    max_rows: int
    cautions: list[str] = Field(description="what the model, or the run that it is of, lacks as a whole")


class Health(BaseModel):
    status: str


class Problem(BaseModel):
    """Why a request was refused."""

    error: str
    request_id: str


def request_body(model: Model, settings: Settings) -> type[BaseModel]:
    """The body of `POST /v1/effects` for this model: its features, this server's limits, an example that works."""
    d, columns = len(model.features), covariates_of(model.metadata)
    number: Any = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-MOST_ABS, le=MOST_ABS)]
    row: Any = Annotated[list[number], Field(min_length=d, max_length=d)]
    if columns:
        cell: Any = Annotated[str, Field(max_length=_MOST_CELL)] | float | None  # whose size `records` looks at
        row = Annotated[dict[str, cell], Field(max_length=len(columns))] | row
    label: Any = Annotated[str, Field(max_length=settings.max_label, pattern=LABEL)]
    means = [round(item["mean"], 3) for item in model.metadata["features"]]
    rows_of = examples_of(columns) if columns else [means, [0.0] * d]
    example: Any = {"rows": rows_of, "environments": ["site-a", "site-b"]}
    said = f"One row a unit: {model.trace or ', '.join(model.features)}, as drawn, not standardised."
    if model.trace:
        said += " A trace of another rate is resampled first: the numbers do not tell it."
    if columns:
        said = (
            f"One row a unit, an object with the table's columns ({', '.join(column.name for column in columns)}), "
            f"where what is absent or null is missing; or a list of its {d} inputs: {', '.join(model.features)}."
        )
    rows: Any = Annotated[list[row], Field(min_length=1, max_length=settings.max_rows, description=said)]
    origin = "Where each row comes from: one label a row, or one for all."
    environments: Any = Annotated[list[label] | None, Field(max_length=settings.max_rows, description=origin)]
    config = ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})
    return create_model("EffectsRequest", __config__=config, rows=(rows, ...), environments=(environments, None))
