"""The runs that the Compare page shows: which are chosen (session and URL), and each with what is drawn of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from crl_core.config import RunConfig
from crl_core.config.settings import changed, names_among, world_of
from crl_core.config.text import nearest_lam
from crl_core.data.tables.source import TableMissing
from crl_core.figures import effect_limits
from crl_core.figures.compare import LETTERS
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunNotFound, RunSummary
from pages.shared import server_cache, style
from pages.shared.fields import lam_text
from pages.shared.run_view import RunInView, naming_near
from pages.shared.table_kept import not_here, rows_here

PARAM = "runs"  # of the URL, once for each run
MOST = 8
MOST_PICTURES = 4  # runs whose units are drawn; curves hold all of them
_LONGEST = 40  # characters of a run's name
CHOSEN = "compare.runs"  # the widget
_KEPT = "compare.kept"  # what was chosen, for when the page is left and opened again
_WRITTEN = "compare.written"  # what this page last wrote into the URL
_NOTES = "compare.notes"
OWN_LAM = (
    "These runs have different penalties, and λ of one is not λ of another: each is shown at its own λ, the one with "
    "the least held-out factual error."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Estimated effects of replicate 0's view rows at every λ, [L, n], and an axis that holds them."""

    ite_hat: np.ndarray
    limits: tuple[float, float]


def name_of(config: RunConfig) -> str:
    """A run by itself: its world, and what was changed in it."""
    own = [setting.told(setting.of(config)) for setting in changed(config)]
    return ", ".join([world_of(config), *own])


def names_of(runs: Sequence[RunInView]) -> list[str]:
    """Each run by what sets it apart from most of the others, cut where a legend has no room for more."""
    return [cut(name) for name in names_among([run.config for run in runs])]


def cut(name: str, most: int = _LONGEST) -> str:
    return name if len(name) <= most else name[: most - 1].rstrip(" ,") + "…"


def choose(runs: dict[str, RunSummary]) -> list[str]:
    """Keys of the runs to compare, in order, the same in widget, session and URL; a note on what cannot be shown."""
    state = st.session_state
    asked = list(dict.fromkeys(st.query_params.get_all(PARAM)))
    if asked and asked != state.get(_WRITTEN):  # a link, or the browser's way back
        state[CHOSEN] = asked
        state[_NOTES] = []
    elif CHOSEN not in state:
        state[CHOSEN] = state.get(_KEPT, [])
    known = [key for key in state[CHOSEN] if key in runs and not runs[key].outdated]
    for key in state[CHOSEN]:
        if key not in known:
            _say(_missing(key, runs))
    for key in known[MOST:]:
        _say(f"At most {MOST} runs can be compared; run {key} is left out.")
    state[CHOSEN] = known[:MOST]
    options = [key for key, run in runs.items() if not run.outdated]
    names = _options(state[CHOSEN], runs)
    chosen: list[str] = st.multiselect(
        "Runs to compare",
        options,
        key=CHOSEN,
        max_selections=MOST,
        on_change=_forget,
        placeholder="Choose two to eight runs",
        format_func=lambda key: names.get(key, key),
        help="The link of this page names the runs, so it can be sent.",
    )
    state[_KEPT] = state[_WRITTEN] = list(chosen)
    if st.query_params.get_all(PARAM) != chosen:
        st.query_params[PARAM] = chosen
    return list(chosen)


def notes() -> list[str]:
    """Sentences on runs that were asked for and are not there, until the choice changes."""
    return list(st.session_state.get(_NOTES, ()))


def put(keys: Sequence[str]) -> None:
    """Choose these runs. For callbacks."""
    _forget()
    st.session_state[CHOSEN] = list(keys)


def _options(chosen: Sequence[str], runs: dict[str, RunSummary]) -> dict[str, str]:
    """Names of all runs: of the chosen ones a letter and what sets each apart, of the others all that was changed."""
    found = {key: f"{run.label.name or name_of(run.config)} · {key[:6]}" for key, run in runs.items()}
    apart = names_among([runs[key].config for key in chosen]) if chosen else []
    return found | {key: f"{letter}  {cut(name)}" for letter, key, name in zip(LETTERS, chosen, apart, strict=False)}


def _missing(key: str, runs: dict[str, RunSummary]) -> str:
    shown = style.plain(key[:24])
    if key in runs:
        return f"Run {shown} was made by an older version of the recipe, whose numbers differ; it cannot be compared."
    return f"Run {shown} is not stored here: it was deleted, or never trained here. The others are shown."


def _say(sentence: str) -> None:
    said = st.session_state.setdefault(_NOTES, [])
    if sentence not in said:
        said.append(sentence)


def _forget() -> None:
    st.session_state[_NOTES] = []


def opened(key: str, lam: float) -> RunInView | None:
    """A stored run with the λ of its grid nearest to `lam`; None, with a sentence, where it cannot be opened."""
    try:
        result = server_cache.load(key)
        if not rows_here(result.config):
            st.error(style.plain(f"Run {key} cannot be shown. {not_here()}"))
            return None
        server_cache.view_data(result.config)  # of a table whose file was changed there are none
        naming = naming_near(result.config)
        own = nearest_lam(result.lams, lam)
        return RunInView(
            config=result.config,
            key=key,
            result=result,
            lam=own,
            m=result.lams.index(own),
            naming=naming,
            env_names=naming.env_names(result.config.source.n_envs),
            theme=style.theme(),
            projection=server_cache.load_part(key, "projection"),
            evidence=server_cache.load_part(key, "evidence"),
            computing=False,
        )
    except (RunCorrupted, RunNotFound, StoreError, TableMissing) as error:
        st.error(style.plain(str(error)))
        return None


def at_own_lam(run: RunInView) -> RunInView:
    """The run at the λ of its grid whose held-out factual error is least, median over replicates: no truth is asked."""
    error = np.median(run.result.by_lam(run.result.factual_mse), axis=0)  # [L], NaN where a replicate broke
    if not np.isfinite(error).any():
        return run
    index = int(np.nanargmin(error))
    return replace(run, lam=run.result.lams[index], m=index)


def each_lam(runs: Sequence[RunInView], besides: float | None = None) -> str:
    """ "A at λ = 0.72, B at λ = 1.9": of the runs that show another λ than `besides`."""
    return ", ".join(
        f"{letter} at λ = {lam_text(run.lam)}"
        for letter, run in zip(LETTERS, runs, strict=False)
        if besides is None or run.lam != besides
    )


@server_cache.pictures
@st.cache_resource(max_entries=8, show_spinner=False)
def _estimates(key: str, sealed_by: float, _run: RunInView) -> Estimates:
    ite_hat = _run.result.effects(_run.view.x)
    ite = np.empty(0) if _run.view.ite is None else _run.view.ite
    return Estimates(ite_hat=ite_hat, limits=effect_limits(ite, ite_hat))


def estimates(run: RunInView) -> Estimates:
    """The estimates of a run, computed once."""
    return _estimates(run.key, run.result.seconds, run)
