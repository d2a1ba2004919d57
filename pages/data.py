"""A table of one's own: what it holds, what each column is, and what it can tell before anything is trained."""

import streamlit as st

from crl_core.figures import palette
from crl_core.world.table_verdict import table_verdict
from pages.shared import data_load, data_panels, data_train, own_table, page_header, require, table_kept
from pages.shared.data_roles import roles_form
from pages.shared.style import count, panel_title, theme
from pages.shared.tables import say

require()
table = own_table.loaded()
if table is None:
    page_header(
        "Load a file, say what its columns are, and read what it can tell of effects, before anything is trained.",
    )
    table_kept.messages()
    data_load.invite()
    table_kept.shelf()
    st.stop()

n_rows = count(table.raw.n_rows, "row") if table.raw.n_rows == 1 else f"{table.raw.n_rows:,} rows"
if not table.confirmed:
    page_header(
        f"{n_rows}, {len(table.held)} columns. Say what each column is, and confirm it: nothing is trained before.",
        world=table.label,
    )
    data_load.refusal()
    data_panels.reading_notes(table)
    roles_form(table)
    data_load.another()
    st.stop()

source, look, ink = table.source, table.look, palette(theme())
assert source is not None
assert look is not None
verdict = table_verdict(source, look, measured_before=table.measured_before)
page_header(
    f"{source.n_rows:,} of {n_rows} are used. Outcome: {source.named('outcome')}. Treated means "
    f"{source.named('treatment')} = {source.arms[1]}, untreated {source.arms[0]}.",
    [
        (verdict.word, "what this table can tell"),
        (f"{100 * look.outside:.0f} %", "rows with hardly a counterpart"),
    ],
    world=table.label,
)
data_load.refusal()
table_kept.messages()
say(verdict.sentence)
data_train.offer(table)
left, right = st.columns([6, 5])
with left, st.container(key="panel_data_verdict", height="stretch"):
    panel_title("What can this table tell?", "answered before any training, without knowing the true effects")
    data_panels.answers(verdict, ink)
with right, st.container(key="panel_data_overlap", height="stretch"):
    data_panels.overlap(look, ink)
left, right = st.columns(2)
with left, st.container(key="panel_data_arms", height="stretch"):
    data_panels.arms(source, look, ink)
with right, st.container(key="panel_data_balance", height="stretch"):
    data_panels.balance(look, ink)
with st.container(key="panel_data_findings"):
    panel_title("What was found", "in the rows that are used, and of those that are not")
    data_panels.findings(table, ink)
table_kept.panel(table)
roles_form(table)
data_load.another()
