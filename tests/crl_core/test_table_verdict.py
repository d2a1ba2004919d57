"""What a table can tell, in a word: overlap, a randomised part, one arm an environment, a column that tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from crl_core.data.tables.columns import Raw, Role
from crl_core.data.tables.making import table_source
from crl_core.data.tables.source import TableSource
from crl_core.world.table_arms import aucs, mean_differences
from crl_core.world.table_checks import Look, look_at
from crl_core.world.table_verdict import Answer, TableVerdict, effect_text, table_verdict
from tests.crl_core.test_own_tables import ROLES, frame, read

N = 1200
PLAIN: dict[str, Role] = {"age": "covariate", "dose": "covariate", "t": "treatment", "y": "outcome"}


def confounded(strength: float, seed: int = 0) -> pd.DataFrame:
    """Treatment by age, more strictly the larger `strength`; the effect is 1, and age lowers the outcome."""
    rng = np.random.default_rng(seed)
    age, dose = rng.normal(size=(2, N))
    t = (rng.random(N) < 1 / (1 + np.exp(-strength * age))).astype(int)
    return pd.DataFrame({"age": age, "dose": dose, "t": t, "y": -3 * age + t + rng.normal(size=N)})


def looked(table: pd.DataFrame, roles: dict[str, Role]) -> tuple[TableSource, Raw, Look]:
    raw = read(table)
    source = table_source(raw, roles, label="x")
    return source, raw, look_at(source, raw)


def judged(table: pd.DataFrame, roles: dict[str, Role], *, before: bool = True) -> TableVerdict:
    source, _, look = looked(table, roles)
    return table_verdict(source, look, measured_before=before)


def answer(verdict: TableVerdict, question: str) -> Answer:
    (found,) = [item for item in verdict.answers if question in item.question]
    return found


@pytest.mark.parametrize(
    ("strength", "word", "says"),
    [
        (0.0, "like a trial", "drawn by lot"),
        (0.8, "with care", "no table can show"),
        (2.5, "in part", "only where both arms are seen"),
        (12.0, "do not trust", "Do not trust an effect"),
    ],
)
def test_the_more_treatment_follows_a_covariate_the_less_is_promised(strength: float, word: str, says: str) -> None:
    verdict = judged(confounded(strength), PLAIN)
    assert verdict.word == word
    assert says in verdict.sentence
    assert answer(verdict, "overlap").status == {"in part": "in part", "do not trust": "no"}.get(word, "yes")
    assert answer(verdict, "randomised").status == ("yes" if strength == 0 else "no")


def test_where_the_two_plain_answers_disagree_the_sentence_gives_both() -> None:
    table = confounded(12.0)
    source, _, look = looked(table, PLAIN)
    naive = table.y[table.t == 1].mean() - table.y[table.t == 0].mean()
    sentence = table_verdict(source, look, measured_before=True).sentence
    assert f"The difference in means is {naive:.3g}".replace("-", "−") in sentence
    assert "the method decides what is found" in sentence


def test_a_table_that_is_confounded_as_a_whole_has_its_randomised_site_named() -> None:
    by_lot, by_age = confounded(0.0, seed=1), confounded(3.0, seed=2)
    table = pd.concat([by_lot.assign(site="trial"), by_age.assign(site="survey")])
    verdict = judged(table, PLAIN | {"site": "environment"})
    found = answer(verdict, "randomised")
    assert found.status == "in part"
    assert "Within trial the covariates" in found.says


def test_a_file_sorted_by_site_says_the_same_of_overlap_as_its_rows_in_any_order() -> None:
    """Sites differ in age, and treatment follows age: unshuffled folds would be asked of ages they never saw."""
    mixed = confounded(1.5)
    in_file = [looked(table, PLAIN)[2] for table in (mixed, mixed.sort_values("age", kind="stable"))]
    assert in_file[0].auc == pytest.approx(in_file[1].auc, abs=0.02)
    assert in_file[0].outside == pytest.approx(in_file[1].outside, abs=0.03)


def test_many_rows_do_not_pass_a_weak_confounding_for_a_lot() -> None:
    source, _, look = looked(frame(), ROLES)
    many = replace(look, auc=0.56, env_aucs=np.array([0.56, 0.56]), arms=np.full((2, 2), 20_000))
    assert answer(table_verdict(source, many, measured_before=True), "randomised").status == "no"
    few = replace(look, auc=0.5, env_aucs=np.array([0.5, 0.5]), arms=np.full((2, 2), 12))
    assert answer(table_verdict(source, few, measured_before=True), "randomised").status == "no"


def test_environments_that_are_the_arms_in_disguise_are_told() -> None:
    table = confounded(3.0)
    table["site"] = np.where(table["t"] == 1, "trial", "survey")
    found = answer(judged(table, PLAIN | {"site": "environment"}), "both arms")
    assert found.status == "no"
    assert "survey and trial: one arm only" in found.says
    table.loc[:39, "site"] = np.resize(["trial", "survey"], 40)
    few = answer(judged(table, PLAIN | {"site": "environment"}), "both arms")
    assert few.status == "in part"


def test_covariates_count_as_measured_before_only_where_somebody_says_so_and_none_tells_the_treatment() -> None:
    table = confounded(0.8)
    assert answer(judged(table, PLAIN), "measured before").status == "yes"
    assert answer(judged(table, PLAIN, before=False), "measured before").status == "unknown"
    table["later"] = table["t"] + 0.1 * np.random.default_rng(3).normal(size=N)
    found = answer(judged(table, PLAIN | {"later": "covariate"}), "measured before")
    assert found.status == "in part"
    assert "Look at later again" in found.says
    assert "First look at later: if it was measured after" in judged(table, PLAIN | {"later": "covariate"}).sentence


def test_a_shortcut_shows_in_an_environment_left_out_where_what_predicts_differs() -> None:
    table = frame()
    same = answer(judged(table, ROLES), "left out")
    assert same.status == "no"
    assert "cannot tell a shortcut from a cause" in same.why
    turned = table["age"].fillna(50) / 10
    table["y"] = np.where(table["site"] == "north", turned, 10 - turned) + 2 * table["treated"]
    assert answer(judged(table, ROLES), "left out").status == "yes"
    alone = judged(table.drop(columns="site"), {name: role for name, role in ROLES.items() if name != "site"})
    assert answer(alone, "left out").status == "unknown"
    assert answer(alone, "both arms").status == "unknown"


def test_effects_on_two_outcomes_are_in_percentage_points() -> None:
    table = frame()
    table["y"] = np.where(table["y"] > 6, "yes", "no")
    source, _, look = looked(table, ROLES)
    share = (table.y == "yes").groupby(table.treated).mean()
    assert effect_text(source, look.naive) == f"{100 * (share[1] - share[0]):+.1f} percentage points"


# -- the figures behind it ---------------------------------------------------------------------------------------------


def test_an_auc_is_mann_and_whitneys_share() -> None:
    rng = np.random.default_rng(0)
    values, t = np.round(rng.normal(size=(60, 3)), 1), np.resize([0, 1, 1], 60)
    expected = [mannwhitneyu(v[t == 1], v[t == 0]).statistic / (40 * 20) for v in values.T]
    np.testing.assert_allclose(aucs(values, t), expected)


def test_differences_are_of_means_in_units_of_the_arms_spread() -> None:
    table = confounded(1.0)
    _, _, look = looked(table, PLAIN)
    treated, untreated = table[table.t == 1], table[table.t == 0]
    for name in ("age", "dose"):
        spread = np.sqrt((treated[name].std(ddof=0) ** 2 + untreated[name].std(ddof=0) ** 2) / 2)
        expected = (treated[name].mean() - untreated[name].mean()) / spread
        assert look.differences[name] == pytest.approx(expected)
    t = np.repeat([0, 1], 10)
    np.testing.assert_allclose(mean_differences(np.stack([t, np.ones(20)], axis=1).astype(float), t), [2, 0])


def test_shares_outside_are_those_of_the_propensities_that_are_kept() -> None:
    _, _, look = looked(confounded(3.0), PLAIN)
    assert len(look.propensity) == len(look.t) == N - N // 5
    assert look.outside == pytest.approx(np.mean((look.propensity < 0.05) | (look.propensity > 0.95)))
