"""Each example's table, made of the tables that its packages hold: rows and columns chosen, nothing estimated."""

from __future__ import annotations

import numpy as np

from crl_core.data.tables.columns import Raw
from crl_core.data.tables.examples.clinics import clinics
from crl_core.data.tables.reading import read_table

# Columns of each, apart by spaces.
IHDP_COVARIATES = (
    "bw b.head preterm birth.o nnhealth momage sex twin b.marr mom.lths mom.hs mom.scoll cig first booze drugs "
    "work.dur prenatal momwhite momblack momhisp"
)
NSW_COVARIATES = "age educ black hisp marr nodegree re74 re75"
STAR_COVARIATES = "sx eth ses birthq hdeg clad exp trace"
OPT_COVARIATES = (
    "Age Black White Nat.Am Hisp Education Public.Asstce Hypertension Diabetes BMI Use.Tob Use.Alc Drug.Add Prev.preg "
    "N.prev.preg N.qualifying.teeth BL.GE BL..BOP BL.PD.avg BL..PD.4 BL..PD.5 BL.CAL.avg BL..CAL.2 BL..CAL.3 BL.Calc.I "
    "BL.Pl.I"
)


def our_clinics() -> Raw:
    """As written down and read again; see `clinics`."""
    return read_table(clinics().to_csv(index=False).encode())


def our_clinics_binary() -> Raw:
    return read_table(clinics(binary=True).to_csv(index=False).encode())


def ihdp_sites(sim: Raw, outcomes: Raw) -> Raw:
    """All 985 children; the indicators site1 to site8 become one column. The two files list them in the same order."""
    indicators = np.stack([sim.columns[f"site{place}"] for place in range(1, 9)], axis=1)
    site = np.array([f"site {place}" for place in 1 + indicators.argmax(axis=1)], dtype=object)
    kept = _columns(sim, f"treat {IHDP_COVARIATES}").columns
    return Raw(columns={"site": site, **kept, "iqsb.36": outcomes.columns["iqsb.36"]})


def ihdp_confounded(sim: Raw, outcomes: Raw) -> Raw:
    """Without the treated children whose mothers are not white (Hill 2011)."""
    whole = ihdp_sites(sim, outcomes)
    return _rows(whole, (whole.columns["treat"] == 0) | (whole.columns["momwhite"] == 1))


def nsw(experiment: Raw) -> Raw:
    return _earnings(experiment, "NSW")


def nsw_cps(experiment: Raw, survey: Raw) -> Raw:
    """The treated of the experiment above the people of the survey."""
    treated, others = _rows(nsw(experiment), experiment.columns["treat"] == 1), _earnings(survey, "CPS")
    return Raw(columns={name: np.concatenate([cells, others.columns[name]]) for name, cells in treated.columns.items()})


def nsw_psid(both: Raw) -> Raw:
    """The treated of the experiment and the people of the survey, as one file has them: under other names, with
    earnings in thousands of dollars, and without `nodegree`."""
    found = both.columns
    dollars = {name: np.round(1000 * found[name], 2) for name in ("re74", "re75", "re78")}
    renamed = {"treat": found["train"], "marr": found["married"], "nodegree": (found["educ"] < 12).astype(np.float64)}
    origin = np.where(found["train"] == 1, "NSW", "PSID").astype(object)
    return _earnings(Raw(columns={**found, **renamed, **dollars}), origin)


def star(pupils: Raw) -> Raw:
    """Kindergarten, small classes against regular ones without an aide."""
    kept = (pupils.columns["gr"] == "K") & np.isin(pupils.columns["cltype"].astype(str), ("small", "reg"))
    return _columns(_rows(pupils, kept), f"id schtype cltype {STAR_COVARIATES} math")


def opt(women: Raw) -> Raw:
    """What was measured before the treatment, and bleeding at the fifth visit."""
    return _columns(women, f"PID Clinic Group {OPT_COVARIATES} V5..BOP")


def _earnings(table: Raw, origin: str | np.ndarray) -> Raw:
    origins = np.full(table.n_rows, origin, dtype=object) if isinstance(origin, str) else origin
    return Raw(columns={"origin": origins, **_columns(table, f"treat {NSW_COVARIATES} re78").columns})


def _columns(table: Raw, names: str) -> Raw:
    return Raw(columns={name: table.columns[name] for name in names.split()})


def _rows(table: Raw, kept: np.ndarray) -> Raw:
    return Raw(columns={name: cells[kept] for name, cells in table.columns.items()})
