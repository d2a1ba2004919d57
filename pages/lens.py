"""What would other papers have reported? One run's MMD read by other conventions, beside what chance alone gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from crl_core.measures.mmd_conventions import conventions_beside, readable_groups
from pages.shared import page_header, quiet, require, run_in_view
from pages.shared.lens_controls import OWN, chosen
from pages.shared.lens_pictures import conventions, path_and_chance, sizes
from pages.shared.lens_readings import Lens, by_environment, latents
from pages.shared.lens_words import sentence
from pages.shared.style import notice, plain
from pages.shared.tables import say

require()
run = run_in_view()


def main() -> None:
    page_header(
        "The same latents, their MMD as other sources compute it. This changes what is reported "
        "on this page, never what was trained.",
    )
    phi, groups = latents(run)
    kept = readable_groups(groups)
    if len(kept) < 2:
        nothing_to_compare()
        return
    named = conventions_beside(run.config.training.bandwidth)
    with st.container(key="panel_lens_controls"):
        try:
            convention = chosen(named)
        except ValueError as error:
            st.error(plain(str(error)))
            convention = named[OWN]
    lens = Lens(run=run, named=named, convention=convention)
    say(sentence(lens))
    path_and_chance(lens, len(groups))
    conventions(lens)
    sizes(lens, phi)
    left_out(sorted(set(np.unique(groups)) - set(kept)))


def nothing_to_compare() -> None:
    alone = run.config.source.n_envs == 1 and by_environment(run)
    notice(
        "An MMD is not defined here",
        f"There is one {run.naming.env_word} only, so there is nothing to compare."
        if alone
        else "Fewer than two groups have the 6 rows that a reading needs. Use more samples.",
        "Raise the number of environments in the sidebar and train again.",
    )


def left_out(groups: Sequence[int]) -> None:
    """Which groups a reading has nothing to say of."""
    if groups:
        names = [run.env_names[g] if by_environment(run) else ("untreated", "treated")[g] for g in groups]
        quiet(f"Left out for having fewer than 6 of these rows: {', '.join(names)}.")


main()
