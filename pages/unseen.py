"""The model is deployed somewhere new: which tests notice, and are the effects wrong?"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crl_core.figures import palette
from crl_core.studies.deployed import Reference
from crl_core.studies.deployed_view import Deployment, deployment
from pages.shared import (
    figure,
    page_header,
    require,
    run_in_view,
    server_cache,
    unseen_batch,
    unseen_labels,
)
from pages.shared.style import notice
from pages.shared.unseen_controls import Asked, asked_deployment
from pages.shared.unseen_findings import headline, tests_and_truth
from pages.shared.unseen_power import power_table
from pages.shared.unseen_scene import pictures, scene

require()
run = run_in_view()
ink = palette(run.theme)


def main() -> None:
    if "equations" not in run.config.source.knows:
        unseen_batch.draw(run)
        return
    if run.config.without_effect:
        unseen_labels.draw(run)
        return
    head = st.container()
    asked = asked_deployment(run.config.scenario)
    if run.status == "diverged":
        with head:
            page_header(asked.intervention.sentence)
        notice("There is no model to deploy", f"At λ = {run.lam:g} the first replicate diverged; {run.others}.")
    else:
        deployed(head, asked)
    power_table(run.naming.preset_id, ink)


def deployed(head: DeltaGenerator, asked: Asked) -> None:
    """The model in view under the intervention: places of the rows, findings of the tests, and the truth."""
    here = scene(run)
    found = _found(run.key, run.lam, asked.intervention.id, asked.dose, asked.n, asked.draw, here.model)
    with head:
        header(asked, found)
    headline(found)
    pictures(run, here, found.batch)
    tests_and_truth(run, here, asked, found)


@st.cache_resource(max_entries=2 * server_cache.HELD, show_spinner=False)
def _found(key: str, lam: float, intervention: str, dose: float, n: int, draw: int, _model: Reference) -> Deployment:
    return deployment(_model, intervention, dose, n, draw)


def header(asked: Asked, found: Deployment) -> None:
    page_header(
        f"The network of λ = {run.lam:g} is deployed somewhere new. {asked.intervention.sentence}",
        [
            (f"{run.lam:g}", "λ shown"),
            (str(found.alarms), f"of {len(found.report.findings)} tests alarm"),
            (figure(found.usual), "effect error, unchanged"),
            (figure(found.error), "effect error here, truth"),
        ],
    )


main()
