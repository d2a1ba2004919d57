"""Studies: a grid of runs that a file describes, planned, carried out, watched, and its table as it grows."""

from __future__ import annotations

import streamlit as st

from pages.shared import page_header, require, style
from pages.shared.studies_choose import chosen_study
from pages.shared.studies_plan import plan, status_of
from pages.shared.studies_results import results
from pages.shared.studies_watch import watch

require()


def main() -> None:
    page_header("A grid of runs that a file describes: worlds × penalties × seeds × sizes, measured in one table.")
    with st.container(key="studies_top"):
        left, right = st.columns([2, 3])
    with left, st.container(key="panel_studies_choose", height="stretch"):
        study, problem = chosen_study()
    if study is None:
        style.notice("No study is chosen", problem or "Choose one on the left, or drop a study.toml.")
        return
    with right, st.container(key="panel_studies_plan", height="stretch"):
        status = status_of(study)
        plan(study, status)
    watch(study, status)
    results(study)


main()
