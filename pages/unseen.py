"""The model is deployed somewhere new: which tests notice, and are the effects wrong?"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crl_core.figures import palette
from crl_core.measures.falsifiers import LEVEL, PERMUTATIONS, RATIO
from crl_core.studies.deployed_view import Deployment, deployment
from crl_core.studies.detection_rates import WRONG
from pages.shared import (
    figure,
    page_header,
    require,
    run_in_view,
    unseen_batch,
    unseen_labels,
)
from pages.shared.style import notice
from pages.shared.unseen_controls import Asked, asked_deployment
from pages.shared.unseen_findings import headline, tests_and_truth
from pages.shared.unseen_power import power_table
from pages.shared.unseen_scene import pictures, scene

_DEFINITIONS = f"""
**Latent MMD²**: deployed latents against 300 held-out training latents; Gaussian kernel, median bandwidth, biased, no
root; p = (k + 1) / (n + 1) from {PERMUTATIONS} relabellings; an alarm at p ≤ {LEVEL:g}. *All environments*: against all
of them together. *Nearest environment*: against each alone, the largest p counts; for a batch of one site.

**Residuals**: root mean square of y − ŷ in the batch over that of held-out rows, for each arm that has outcomes; an
alarm above {RATIO:g}.

**Classifier**: how often five nearest neighbours tell new rows from training rows; 0.5 is chance.

**Wrong**: the true effect error (ITE RMSE, √PEHE) here is more than {WRONG:g} times that of unchanged rows. Only the
simulation knows it; no test uses it.

**The latent view** is a fixed plane, the two directions of largest variance of the training latents: new rows can be
placed in it. A t-SNE cannot place rows it was not made with.
"""

require()
run = run_in_view()
ink = palette(run.theme)


def main() -> None:
    if "equations" not in run.config.source.knows:
        unseen_batch.draw(run, _DEFINITIONS)
        return
    if run.config.without_effect:
        unseen_labels.draw(run)
        return
    head = st.container()
    asked = asked_deployment(run.config.scenario)
    if run.status == "diverged":
        with head:
            page_header(asked.intervention.sentence, _DEFINITIONS)
        notice("There is no model to deploy", f"At λ = {run.lam:g} the first replicate diverged; {run.others}.")
    else:
        deployed(head, asked)
    power_table(run.naming.preset_id, ink)


def deployed(head: DeltaGenerator, asked: Asked) -> None:
    """The model in view under the intervention: places of the rows, findings of the tests, and the truth."""
    here = scene(run)
    found = deployment(here.model, asked.intervention.id, asked.dose, asked.n, asked.draw)
    with head:
        header(asked, found)
    headline(found)
    pictures(run, here, found.batch)
    tests_and_truth(run, here, asked, found)


def header(asked: Asked, found: Deployment) -> None:
    page_header(
        f"The network of λ = {run.lam:g} is deployed somewhere new. {asked.intervention.sentence}",
        _DEFINITIONS,
        [
            (f"{run.lam:g}", "λ shown"),
            (str(found.alarms), f"of {len(found.report.findings)} tests alarm"),
            (figure(found.usual), "effect error, unchanged"),
            (figure(found.error), "effect error here, truth"),
        ],
    )


main()
