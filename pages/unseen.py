"""The model is deployed somewhere new: which tests notice, and are the effects wrong?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st

from crl_core.data.interventions import INTERVENTIONS, Intervention, deploy, limits
from crl_core.data.scm import MultiEnvData, along
from crl_core.figures import outside, palette
from crl_core.figures.base import colour_scale, robust_range
from crl_core.figures.unseen import along_dose, cloud, power_map
from crl_core.jobs.ensure_run import PassFailed, is_there
from crl_core.measures.falsifiers import LEVEL, PERMUTATIONS, RATIO, latent_tests
from crl_core.results import data_of, predict
from crl_core.runs.sealing import StoreError
from crl_core.studies.certificate import certificate
from crl_core.studies.deployed import TITLES, Finding, Verdict, Watched, judge, true_error, watched
from crl_core.studies.detection_rates import (
    DRAWS,
    SIZES,
    WRONG,
    Power,
    baked_power,
    config_of,
    name_of,
    run_power,
)
from pages.shared import RunInView, many_runs, page_header, quiet, require, run_in_view, server_cache
from pages.shared.model_views import effects
from pages.shared.style import figure, notice, panel_title
from pages.shared.tables import beyond, chart, say

_DEFINITIONS = f"""
**Latent MMD²**: deployed latents against 300 held-out training latents; Gaussian kernel, median bandwidth, biased, no
root; p = (k + 1) / (n + 1) from {PERMUTATIONS} relabellings; an alarm at p ≤ {LEVEL:g}. *All environments*: against all
of them together. *Nearest environment*: against each alone, the largest p counts; for a batch of one site.

**Residuals**: root mean square of y − ŷ in the batch over that of held-out rows, for each arm that has outcomes; an
alarm above {RATIO:g}.

**Classifier**: how often five nearest neighbours tell new rows from training rows; 0.5 is chance.

**Wrong**: the true ITE RMSE here is more than {WRONG:g} times that of unchanged rows. Only the simulation knows it; no
test uses it.

**The latent view** is a fixed plane, the two directions of largest variance of the training latents: new rows can be
placed in it. A t-SNE cannot place rows it was not made with.
"""
_TESTS = {
    "pooled": "MMD², all",
    "nearest": "MMD², nearest",
    "residuals": "residuals",
    "classifier": "classifier",
}
_CSS = """
<style>
.crl-gauge { display: grid; grid-template-columns: minmax(10rem, 1.7fr) minmax(5rem, 1.6fr) minmax(5rem, .6fr);
  gap: .1rem 1rem; align-items: center;
  padding: .5rem 0; border-bottom: 1px solid var(--hairline); }
.crl-gauge:last-child { border-bottom: 0; }
.crl-gauge b { font-size: .95rem; } .crl-gauge .small { grid-column: 1 / 4; font-size: .8rem; color: var(--quiet); }
.crl-gauge .track { position: relative; height: .8rem; border-radius: .4rem; background: var(--hairline); }
.crl-gauge .fill { position: absolute; left: 0; top: 0; bottom: 0; border-radius: .4rem; }
.crl-gauge .at { position: absolute; top: -.25rem; bottom: -.25rem; width: 2px; }
.crl-gauge .state { font-weight: 650; text-align: right; }
.crl-quadrant { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; align-items: baseline; }
.crl-quadrant b { font-size: 1.5rem; } .crl-four { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem;
  margin: .3rem 0 .8rem 0; }
.crl-four div { border: 1px solid var(--hairline); border-radius: 8px; padding: .5rem .8rem; font-size: .86rem;
  line-height: 1.5; }
.crl-four b { display: block; font-size: 1rem; }
@media (max-width: 640px) { .crl-four { grid-template-columns: 1fr; } }
.crl-quadrant span { color: var(--quiet); max-width: 46rem; line-height: 1.45; }
</style>
"""
_MEANS = {
    "alarm and wrong": "The tests notice, and the effects are wrong: what a monitor is for.",
    "alarm but right": (
        "The tests notice that the rows differ, yet the effects are not called wrong: an alarm is no verdict on the "
        "effects."
    ),
    "silent and right": "Nothing is noticed, and the effects are about as right as on unchanged rows.",
    "silent and wrong": "Nothing is noticed, and the effects are wrong. No test on these rows can know it.",
}

require()
run = run_in_view("Unseen environment")
ink = palette(run.theme)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What stays while a dose moves: the model, a plane through its latents, and the training rows in both views."""

    model: Watched
    mean: np.ndarray
    plane: np.ndarray  # [k, 2]
    phi: np.ndarray  # [m, 2] training latents in the plane
    zs: np.ndarray  # [m, 2] their cause and nuisance
    env: np.ndarray
    window: tuple[tuple[float, float], tuple[float, float]]
    zs_window: tuple[tuple[float, float], tuple[float, float]]


@st.cache_resource(max_entries=8, show_spinner=False)
def scene(key: str, lam: float, _run: RunInView) -> Scene:
    held_out = held_out_rows(key, _run)
    model = watched(_run.result, lam, held_out=held_out)
    kept = np.unique(np.linspace(0, len(held_out) - 1, 700).astype(int))
    phi = predict(model.weights, held_out.x[kept])[0][0].astype(np.float64)
    mean = phi.mean(axis=0)
    plane = np.linalg.svd(phi - mean, full_matrices=False)[2][:2].T
    flat = (phi - mean) @ plane
    zs = np.column_stack([along(held_out.z[kept]), along(held_out.s[kept])])  # type: ignore[index]
    reach = 1.7  # so much further than training a new row may lie before it sits on the edge
    window = tuple(_wider(robust_range(flat[:, axis]), reach) for axis in (0, 1))
    zs_window = (_wider(robust_range(zs[:, 0]), 1.5), (-9.0, 9.0))
    return Scene(
        model=model,
        mean=mean,
        plane=plane,
        phi=flat,
        zs=zs,
        env=held_out.env[kept],
        window=window,
        zs_window=zs_window,
    )  # type: ignore[arg-type]


@st.cache_resource(max_entries=4, show_spinner=False)
def held_out_rows(key: str, _run: RunInView) -> MultiEnvData:
    return data_of(_run.config)[1]


def _wider(limits: tuple[float, float], times: float) -> tuple[float, float]:
    middle, half = (limits[0] + limits[1]) / 2, (limits[1] - limits[0]) / 2
    return middle - times * half, middle + times * half


@st.cache_resource(max_entries=64, show_spinner=False)
def dose_curves(
    key: str, lam: float, intervention: str, n: int, _scene: Scene
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Along 17 doses: latent MMD² of n rows, and the true error on 1,000."""
    scenario, seed = _scene.model.run.config.scenario, _scene.model.run.config.training.seed
    low, high = limits(scenario, intervention)
    doses = [
        float(dose) for dose in (np.arange(low, high + 1) if intervention == "site" else np.linspace(low, high, 17))
    ]
    values, errors = [], []
    for dose in doses:
        rows = deploy(scenario, intervention, dose, 1000, seed)
        phi = predict(_scene.model.weights, rows.x[:: max(1, 1000 // n)])[0]
        values.append(float(latent_tests(phi, _scene.model.latents[None], np.random.default_rng(0), 1)[0][0]))
        errors.append(true_error(_scene.model, rows))
    return doses, np.array(values), np.array(errors)


def controls() -> tuple[Intervention, float, int, int]:
    """What happens, how much of it, to how many rows."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="unseen_controls"):
        name = st.selectbox(
            "What changes",
            list(INTERVENTIONS),
            key="unseen.what",
            index=list(INTERVENTIONS).index("s-mean"),
            width=330,
            format_func=lambda item: INTERVENTIONS[item].title,
            persist_state="session",
        )
        item = INTERVENTIONS[name]
        low, high = limits(run.config.scenario, name)
        dose = item.start
        if high > low:
            whole = item.id == "site"
            kind = int if whole else float
            dose = st.slider(
                item.dose[:1].upper() + item.dose[1:],
                kind(low),
                kind(high),
                kind(item.start),
                step=kind(1) if whole else 0.25,
                key=f"unseen.dose.{name}",
                width=420,
                persist_state="session",
            )
        n = st.segmented_control(
            "Rows", list(SIZES), default=200, key="unseen.n", required=True, persist_state="session"
        )
        st.button("Another draw", key="unseen.again", on_click=_again)
    return item, float(dose), int(n or 200), int(st.session_state.get("unseen.draw", 0))


def _again() -> None:
    st.session_state["unseen.draw"] = int(st.session_state.get("unseen.draw", 0)) + 1


def gauge(finding: Finding) -> str:
    """One test as a bar: full is far beyond its threshold."""
    if finding.alarm is None or not np.isfinite(finding.statistic):
        share, line = 0.0, 0.5
    elif finding.test == "residuals":
        share, line = min(1.0, 0.5 * finding.statistic / RATIO), 0.5
    else:  # p on a log scale, 1 at the left
        assert finding.p is not None
        end = np.log10(PERMUTATIONS + 1.0)
        share, line = min(1.0, -np.log10(max(finding.p, 1e-9)) / end), -np.log10(LEVEL) / end
    state = {True: "ALARM", False: "quiet", None: "not made"}[finding.alarm]
    colour = ink["bad"] if finding.alarm else ink["muted"]
    return (
        f'<div class="crl-gauge"><b>{escape(TITLES[finding.test][:1].upper() + TITLES[finding.test][1:])}</b>'
        f'<div class="track" role="img" aria-label="{escape(finding.words)}"><i class="fill" '
        f'style="width:{100 * share:.1f}%;background:{colour}"></i>'
        f'<i class="at" style="left:{100 * line:.1f}%;background:{ink["text"]}"></i></div>'
        f'<span class="state" style="color:{colour}">{state}</span><span '
        f'class="small">{escape(finding.words)}</span></div>'
    )


def quadrant(verdict: Verdict, error: float, usual: float) -> str:
    alarmed = any(finding.alarm for finding in verdict.findings if finding.test in ("pooled", "residuals"))
    wrong = error > WRONG * usual
    return ("alarm" if alarmed else "silent") + (" and wrong" if wrong else " but right" if alarmed else " and right")


def pictures(here: Scene, data: MultiEnvData, item: Intervention, dose: float) -> None:
    """Latents and the plane of cause and nuisance, training and deployment."""
    phi = (predict(here.model.weights, data.x)[0][0] - here.mean) @ here.plane
    left, right = st.columns(2)
    with left, st.container(key="panel_unseen_latent", height="stretch"):
        drawn = cloud(
            here.phi,
            here.env,
            phi,
            run.env_names,
            ink,
            limits=here.window,
            title=f"Latent at λ = {run.lam:g}",
        )
        chart(drawn, "unseen.latent")
        quiet("The two directions of largest variance of training latents." + beyond(outside(drawn), "rows"))
    with right, st.container(key="panel_unseen_map", height="stretch"):
        plane = effects(run).plane
        picture = None
        if plane is not None:
            low, high = plane.limits
            picture = {
                "type": "heatmap",
                "x": plane.z,
                "y": plane.s,
                "z": plane.tau_hat[run.result.lams.index(run.lam)],
                "zmin": low,
                "zmax": high,
                "colorscale": colour_scale(ink["diverging"]),
                "showscale": False,
                "hoverinfo": "skip",
                "zsmooth": "best",
            }
        zs = np.column_stack([along(data.z), along(data.s)])  # type: ignore[arg-type]
        drawn = cloud(
            here.zs,
            here.env,
            zs,
            run.env_names,
            ink,
            limits=here.zs_window,
            title="The effect it believes in",
            axes=("z, the cause", "s, the nuisance"),
            picture=picture,
        )
        chart(drawn, "unseen.map")
        quiet(
            "Colour: estimated effect τ̂ where training rows reach; outside it is extrapolation."
            + beyond(outside(drawn), "rows")
        )


def tests_and_truth(here: Scene, verdict: Verdict, error: float, usual: float, item: Intervention, dose: float) -> None:
    left, right = st.columns([3, 2])
    with left, st.container(key="panel_unseen_tests", height="stretch"):
        panel_title("What a monitor sees", "line: threshold; a full bar is far beyond it")
        st.html(_CSS + "".join(gauge(finding) for finding in verdict.findings))
        for note in verdict.notes:
            quiet(note)
        made = certificate(here.model, verdict, sample=f"Simulated deployment, {name_of(item.id, dose)}")
        with st.container(horizontal=True):
            st.download_button(
                "Certificate, HTML",
                made.html(),
                f"certificate-{run.key}.html",
                "text/html",
                on_click="ignore",
                key="unseen.html",
            )
            st.download_button(
                "Markdown",
                made.markdown(),
                f"certificate-{run.key}.md",
                "text/markdown",
                on_click="ignore",
                key="unseen.md",
            )
    with right, st.container(key="panel_unseen_dose", height="stretch"):
        if item.low == item.high:
            panel_title("What only the simulation knows", "ITE RMSE of this network")
            say(f"{error:.3f} here, {usual:.3f} on unchanged rows.")
            return
        doses, values, errors = dose_curves(run.key, run.lam, item.id, verdict.n_rows, here)
        chart(
            along_dose(doses, values, dose, ink, title="Latent MMD²", dose_title=item.dose),
            "unseen.dose_mmd2",
        )
        drawn = along_dose(
            doses,
            errors,
            dose,
            ink,
            title="True ITE RMSE",
            dose_title=item.dose,
            threshold=WRONG * usual,
            truth=True,
        )
        chart(drawn, "unseen.dose_error")
        quiet(
            f"Only the simulation knows the true error. Dashed: {WRONG:g} times that of unchanged rows; above it the "
            f"effects are called wrong."
        )


# -- power -------------------------------------------------------------------------------------------------------------


@st.cache_resource(max_entries=4, show_spinner="Measuring the tests' power, about half a minute")
def measured_here(preset_id: str, seeds: int) -> Power:
    return run_power(preset_id, server_cache.store(), seeds=seeds, draws=4, sizes=(200,), lams=(0.0, 1.0))


def power_table() -> None:
    """How often each test alarms for every intervention, over seeds; stored for one world, measured here for others."""
    preset_id, power, where = run.preset.id, None, ""
    try:
        power = baked_power(server_cache.store().baked, preset_id)
        where = f"Measured before the program was shipped: {DRAWS} batches a seed."
    except ValueError as error:
        st.error(str(error))
    with st.container(key="panel_unseen_power"):
        panel_title(
            "How often does each test alarm?",
            f"{preset_id}: share of batches over seeds; framed: silent although the effects are wrong",
        )
        if power is None:
            config = config_of(preset_id, 3)
            name = f"unseen.pass.{preset_id}"
            if not many_runs.panel(name, [(config, False)], start="Measure it for this world", again=False):
                return
            if is_there(config, server_cache.store()):
                try:
                    power, where = (
                        measured_here(preset_id, 3),
                        "Measured on this machine: 3 seeds, 4 batches each.",
                    )
                except (PassFailed, StoreError) as error:
                    st.error(str(error))
                    return
        if power is None:
            return
        draw_power(power, where)


def draw_power(power: Power, where: str) -> None:
    lams, sizes = sorted({row.lam for row in power.rows}), sorted({row.n for row in power.rows})
    with st.container(horizontal=True):
        lam = st.segmented_control(
            "λ", lams, default=lams[-1], key="unseen.power_lam", required=True, format_func=lambda v: f"{v:g}"
        )
        n = st.segmented_control("Rows in a batch", sizes, default=200, key="unseen.power_n", required=True)
    cells: dict[tuple[str, float], dict[str, object]] = {}
    for row in power.rows:
        if row.lam == lam and row.n == n:
            cells.setdefault((row.intervention, row.dose), {})[row.test] = row
    tests = [test for test in _TESTS if all(test in found for found in cells.values())]
    rows: list[Mapping[str, object]] = list(cells.values())
    rates = np.array([[found[test].rejection_rate for test in tests] for found in rows])  # type: ignore[attr-defined]
    first = [found[tests[0]] for found in rows]
    st.html(_CSS + four_quadrants(cells))
    chart(
        power_map(
            [name_of(*where_) for where_ in cells],
            [_TESTS[test] for test in tests],
            rates,
            np.array([row.ite_rmse for row in first]),
            np.array([row.wrong for row in first]),
            ink,  # type: ignore[attr-defined]
            title=f"Rejection rates at λ = {lam:g}, {n} rows",
        ),
        "unseen.power",
    )
    quiet(
        f"{where} {power.seeds} seeds. The batches of a seed share their 300 reference latents, so they err together. "
        f"In the "
        f"four boxes the monitor is latent MMD² against all environments, or residuals. ITE RMSE: the median true "
        f"error, known only in simulation. The command: python -m crl_core unseen --preset {power.preset_id}."
    )


def four_quadrants(cells: Mapping[tuple[str, float], Mapping[str, object]]) -> str:
    """Every intervention in its place: does latent MMD² or the residual ratio alarm, and are the effects wrong?"""
    places: dict[str, list[str]] = {
        name: [] for name in ("alarm and wrong", "silent and wrong", "alarm but right", "silent and right")
    }
    for where, found in cells.items():
        watching = [found[test] for test in ("pooled", "residuals") if test in found]
        loudest = max(watching, key=lambda row: row.rejection_rate)  # type: ignore[attr-defined]
        places[loudest.quadrant].append(name_of(*where))  # type: ignore[attr-defined]
    boxes = []
    for name, members in places.items():
        bad = name == "silent and wrong"
        look = f' style="border-color:{ink["bad"]}"' if bad else ""
        title = f' style="color:{ink["bad"]}"' if bad else ""
        boxes.append(
            f"<div{look}><b{title}>{name[:1].upper() + name[1:]}</b>{escape('; '.join(members) or 'none')}</div>"
        )
    return f'<div class="crl-four">{"".join(boxes)}</div>'


def main() -> None:
    if run.view.ite is None or run.view.z is None:
        page_header("Unseen environment", "This data carries no truth to intervene on.", _DEFINITIONS)
        st.stop()
    head = st.container()
    item, dose, n, draw = controls()
    if run.status == "diverged":
        with head:
            page_header("Unseen environment", item.sentence, _DEFINITIONS)
        notice("There is no model to deploy", f"At λ = {run.lam:g} the first replicate diverged; {run.others}.")
        power_table()
        return
    here = scene(run.key, run.lam, run)
    seed = run.config.training.seed
    data = deploy(run.config.scenario, item.id, dose, n, seed, draw)
    verdict = judge(here.model, data.x, np.random.default_rng([seed, draw]), t=data.t, y=data.y)
    error = true_error(here.model, deploy(run.config.scenario, item.id, dose, 2000, seed, 10_000))
    usual = true_error(here.model, deploy(run.config.scenario, "none", 0.0, 2000, seed, 10_000))
    name = quadrant(verdict, error, usual)
    with head:
        page_header(
            "Unseen environment",
            f"{run.preset.title}: the network of λ = {run.lam:g} is deployed somewhere new. {item.sentence}",
            _DEFINITIONS,
            [
                (f"{run.lam:g}", "λ in view"),
                (
                    str(sum(bool(finding.alarm) for finding in verdict.findings)),
                    f"of {len(verdict.findings)} tests alarm",
                ),
                (figure(usual), "ITE RMSE, unchanged"),
                (figure(error), "ITE RMSE here, truth"),
            ],
        )
    colour = ink["bad"] if name == "silent and wrong" else ink["text"]
    st.html(
        f'{_CSS}<div class="crl-quadrant"><b '
        f'style="color:{colour}">{name[:1].upper() + name[1:]}</b><span>{escape(_MEANS[name])}</span></div>'
    )
    pictures(here, data, item, dose)
    tests_and_truth(here, verdict, error, usual, item, dose)
    power_table()


main()
