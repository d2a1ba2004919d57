"""Latent worlds, what is promised before training, exact flows, scores against a second way, and what is recovered."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core.cli.program import main
from crl_core.identify.chance import chance, chance_among, chance_in
from crl_core.identify.flows.causes import CausesFlow
from crl_core.identify.flows.fit import Diverged, fit
from crl_core.identify.flows.flow import Flow
from crl_core.identify.flows.networks import mmd2_of_groups
from crl_core.identify.flows.recover import recover
from crl_core.identify.flows.tradeoff import best_single, tradeoff
from crl_core.identify.latent_worlds import LatentWorld, sample_world, single_targets, targets
from crl_core.identify.linear import causes_of, fast_ica, generalised_eigenvectors, pca
from crl_core.identify.method_inputs import draw, relabelled
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.presets import LATENT_PRESETS, command_of, latent_preset
from crl_core.identify.promises import promise_of
from crl_core.identify.recovered import sentence
from crl_core.identify.scores import agreement, agreement_of, assignment, correlations, score
from crl_core.identify.shipped import BAKED, coordinates, of_method, shipped
from crl_core.identify.shipped import agreement as agreed
from crl_core.ipm import mmd2

ROOT = Path(__file__).parents[2]

# -- worlds ------------------------------------------------------------------------------------------------------------


def test_a_seed_determines_every_row_and_seeds_differ() -> None:
    world = latent_preset("each")
    one, again, other = (sample_world(world, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.train.x, again.train.x)
    assert not np.allclose(one.train.x, other.train.x)


def test_rows_have_the_scales_and_means_of_the_matrix() -> None:
    world = LatentWorld(scales=((1, 1), (2, 0.5)), means=((0, 0), (3, 0)), n_rows=20_000)
    z = sample_world(world, 0).train.z
    np.testing.assert_allclose(z.std(axis=1), world.scales, rtol=0.03)
    np.testing.assert_allclose(z.mean(axis=1), world.means, atol=0.06)


def test_a_chain_adds_up_the_noises_and_a_perfect_intervention_cuts_the_edge() -> None:
    soft = sample_world(latent_preset("chain"), 1).train
    perfect = sample_world(replace(latent_preset("chain"), edges="perfect"), 1).train
    for e in range(4):
        slope = [np.polyfit(rows.z[e, :, 0], rows.z[e, :, 1], 1)[0] for rows in (soft, perfect)]
        assert 0.7 < abs(slope[0]) < 1.5
        assert abs(slope[1]) < 0.15 if e == 2 else abs(slope[1]) > 0.7
    np.testing.assert_array_equal(soft.z[..., 0], soft.noise[..., 0])


@pytest.mark.parametrize("mixing", ["smooth", "coupling", "linear"])
def test_a_mixing_hides_the_latents_and_loses_none(mixing: str) -> None:
    world = LatentWorld(scales=single_targets(3, 2), mixing=mixing, dim_x=5, n_rows=200)  # type: ignore[arg-type]
    x = sample_world(world, 0).train.x
    assert x.shape == (2, 200, 5)
    assert np.linalg.matrix_rank(x.reshape(-1, 5) - x.reshape(-1, 5).mean(axis=0), tol=1e-6) == 3
    assert draw(world, [0]).train.shape == (1, 2, 200, 3)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"scales": single_targets(6, 2)}, "the number of latents is 6; from 2 to 5"),
        ({"scales": ((0.0, 1.0), (1.0, 1.0))}, "A scale of 0 leaves nothing of a latent"),
        ({"scales": ((1.0, 1.0), (1.0,))}, "rows of different lengths"),
        ({"scales": "abc"}, "must be a table of numbers"),
        ({"dim_x": 2}, "the observed dimension must be from 3"),
        ({"mixing": "linear", "matrix": ((1, 2, 3), (2, 4, 6), (1, 1, 1))}, "singular or nearly so"),
        ({"mixing": "taste"}, "mixing is 'taste'"),
        ({"means": ((0.0, 0.0, 0.0),)}, "give one mean for each scale"),
        ({"outcome": (1.0,)}, "give one finite number for each of 3"),
        ({"scales": ((float("nan"),) * 3,)}, r"scales\[0\]\[0\] is nan"),
    ],
)
def test_a_world_that_cannot_be_is_refused_in_a_line(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(latent_preset("each"), **fields)  # type: ignore[arg-type]


def test_a_world_survives_being_written_and_read() -> None:
    for item in LATENT_PRESETS.values():
        assert LatentWorld.from_dict(json.loads(json.dumps(item.world.to_dict()))) == item.world
    with pytest.raises(ValueError, match="a world has no field taste"):
        LatentWorld.from_dict({"taste": 1})


# -- what is promised --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "blocks"),
    [
        ("each", ("pinned",) * 3, ()),
        ("untouched-pair", ("pinned", "pinned", "mixed", "mixed"), ((2, 3),)),
        ("untouched-one", ("pinned",) * 4, ()),
        ("same-ratio", ("mixed", "mixed", "pinned", "pinned"), ((0, 1),)),
        ("one", ("mixed",) * 3, ((0, 1, 2),)),
    ],
)
def test_the_matrix_says_which_latents_can_be_told_apart(
    name: str, status: tuple[str, ...], blocks: tuple[tuple[int, ...], ...]
) -> None:
    promise = promise_of(latent_preset(name))
    assert (promise.status, promise.blocks, promise.about) == (status, blocks, "latents")
    assert all(sentence.endswith(".") for sentence in promise.words)


def test_a_tied_block_whose_means_move_is_left_open_and_one_whose_means_rest_stays_mixed() -> None:
    scales = ((1.0,) * 4, (2.0, 2.0, 1.0, 1.0))
    resting = promise_of(LatentWorld(scales=scales, means=((0.0,) * 4, (0.0,) * 4)))
    assert resting.status == ("mixed",) * 4
    moving = promise_of(LatentWorld(scales=scales, means=((0.0,) * 4, (1.0, 0.0, 0.0, 0.0))))
    assert moving.status == ("open", "open", "mixed", "mixed")
    assert moving.blocks == ((2, 3),)
    assert "their means move: no promise" in " ".join(moving.words)


def test_a_rotation_of_a_tied_block_explains_the_data_as_well_and_of_another_it_does_not() -> None:
    """What "stays mixed" rests on: the likelihood of a trained flow whose last layer and means are turned."""
    scales = ((1.0,) * 3, (2.5, 2.5, 1.0), (0.5, 0.5, 2.0))
    seeds = draw(LatentWorld(scales=scales, means=((0,) * 3, (2, 0, 0), (0, 2, 0)), n_rows=1000), [0])
    flow = Flow([(0, 0)], 3, 3, dtype=torch.float64)
    rows = torch.from_numpy(seeds.choose)
    found = fit(flow, seeds.train, seeds.choose, seeds.look, restarts=1, steps=300, dtype=torch.float64)
    order = score(seeds.z[0], found.latents[0]).order
    free, (first, second) = int(order[2]), sorted(int(item) for item in order[:2])
    with torch.no_grad():
        flow.log_scale[0, [first, second]] = flow.log_scale[0, [first, second]].mean(dim=0)  # tied exactly
        before = float(flow.loss(rows)[0])
        for other, low, high in ((second, -1e-9, 1e-9), (free, 0.01, np.inf)):
            turned = Flow([(0, 0)], 3, 3, dtype=torch.float64)
            for own, theirs in zip(turned.parameters(), flow.parameters(), strict=True):
                own.copy_(theirs)
            turn = torch.eye(3, dtype=torch.float64)
            turn[[first, first, other, other], [first, other, first, other]] = torch.tensor(
                [0.8, -0.6, 0.6, 0.8], dtype=torch.float64
            )
            turned.params[-1]["w"][0] = turn @ flow.params[-1]["w"][0]
            turned.mean[0] = torch.einsum("ij,jek->iek", turn, flow.mean[0])
            assert low <= float(turned.loss(rows)[0]) - before <= high


def test_where_edges_stay_the_promise_is_about_noises() -> None:
    assert promise_of(latent_preset("chain")).about == "noises"


def test_perfect_interventions_on_each_latent_promise_the_latents_where_that_was_measured() -> None:
    """One on each and a linear mixing: the latents themselves. Behind a smooth mixing theory is quoted, and no more."""
    linear, smooth = latent_preset("perfect"), latent_preset("perfect-smooth")
    promise = promise_of(linear)
    assert (promise.status, promise.about, promise.by) == (("pinned",) * 3, "latents", "causes")
    assert "Squires et al. 2023" in " ".join(promise.words)
    assert promise_of(smooth).status == ("open",) * 3
    assert "Trainings here were measured not to get there" in " ".join(promise_of(smooth).words)
    for fewer in (single_targets(3, 3), ((1, 1, 1), (2.5, 2.5, 1), (1, 1, 2.5))):
        promise = promise_of(replace(linear, scales=fewer, means=()))
        assert promise.status == ("open",) * 3
        assert "not every latent has an environment that changes its scale and nothing else" in " ".join(promise.words)


def test_agreement_forgives_what_the_promise_leaves_open() -> None:
    assert promise_of(latent_preset("each")).up_to == "pearson"  # sign and scale
    assert promise_of(latent_preset("perfect-smooth")).up_to == "spearman"  # nothing is promised: any monotone map


def done_of(**known: object) -> dict[str, object]:
    done = {"mcc": 0.98, "floor": 0.83, "floor_95": 0.962, "r2": 0.99, "spearman": 0.97, "restarts_agree": 0.991}
    return done | {"per_coordinate": [0.99, 0.97], "mcc_latents": 0.8, "mcc_noises": 0.98} | known


@pytest.mark.parametrize(
    ("per_coordinate", "mcc_latents", "ending"),
    [
        ([0.99, 0.97], 0.80, "MCC is 0.800: the noises are recovered, not the latents."),
        ([0.99, 0.97], 0.96, "MCC is 0.960."),  # the latents as well
        ([0.99, 0.60], 0.80, "MCC is 0.800."),  # not even the noises
    ],
)
def test_with_edges_it_is_said_whether_noises_alone_are_recovered(
    per_coordinate: list[float], mcc_latents: float, ending: str
) -> None:
    done = done_of(per_coordinate=per_coordinate, mcc_latents=mcc_latents)
    scores = (
        "MCC 0.980; a random rotation scores 0.83 in the median, and more than 0.962 one time in twenty: beyond "
        "chance. Linear R² 0.990, Spearman 0.970. Restarts agree: 0.991; that is not yet being right."
    )
    chain, each = promise_of(latent_preset("chain")), promise_of(latent_preset("each"))
    assert sentence(each, done) == scores
    assert sentence(chain, done).startswith(scores)
    assert sentence(chain, done).endswith(ending)
    assert (chain.letter, each.letter) == ("ε", "z")


def test_a_score_inside_the_band_is_said_not_to_be_beyond_chance_and_one_restart_agrees_with_nobody() -> None:
    words = sentence(promise_of(latent_preset("each")), done_of(mcc=0.955, restarts_agree=None))
    assert "more than 0.962 one time in twenty: not beyond chance." in words
    assert "agree" not in words


def test_in_the_world_of_cut_edges_it_is_said_that_the_flow_found_the_noises_and_who_finds_the_latents() -> None:
    done = done_of(mcc=0.7, per_coordinate=[0.9, 0.6, 0.6], causes={"mcc": 0.998, "rows_agree": 0.997})
    words = sentence(promise_of(latent_preset("perfect")), done)
    assert "not beyond chance" in words
    assert "The flow is right about the noises (MCC 0.980) and wrong about the latents." in words
    assert words.endswith(
        "The likelihood of cut edges, on the same rows: MCC 0.998; its fits on other rows agree: 0.997."
    )


# -- scores ------------------------------------------------------------------------------------------------------------


def test_a_score_agrees_with_trying_every_order_by_hand() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((400, 4))
    found = z @ rng.standard_normal((4, 4)) + 0.3 * rng.standard_normal((400, 4))
    own = score(z, found)
    first = np.abs(np.corrcoef(z[:200], found[:200], rowvar=False)[:4, 4:])
    second = np.abs(np.corrcoef(z[200:], found[200:], rowvar=False)[:4, 4:])
    best = max(permutations(range(4)), key=lambda order: sum(first[i, order[i]] for i in range(4)))
    np.testing.assert_array_equal(own.order, best)
    np.testing.assert_allclose(own.per_coordinate, [second[i, best[i]] for i in range(4)], rtol=1e-12)
    assert own.mcc == pytest.approx(np.mean([second[i, best[i]] for i in range(4)]))


@given(st.integers(2, 5), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_order_sign_and_scale_do_not_matter(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((200, dim))
    order = rng.permutation(dim)
    found = (z * rng.choice([-3.0, 0.2], dim) + 5)[:, order]
    own = score(z, found)
    assert own.mcc == pytest.approx(1)
    assert own.spearman == pytest.approx(1)
    assert own.r2 == pytest.approx(1)
    np.testing.assert_array_equal(order[own.order], np.arange(dim))


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_chance_is_the_distribution_of_scores_of_rotated_rows_by_a_second_plain_way(dim: int) -> None:
    """Rows are drawn, turned by SciPy's rotations, and scored as any recovery is, one after the other."""
    from scipy.stats import ortho_group

    z = np.random.default_rng(dim).standard_normal((1000, dim))
    plain = [score(z, z @ turn) for turn in ortho_group.rvs(dim, size=500, random_state=dim)]
    for kind, own in (("pearson", [item.mcc for item in plain]), ("spearman", [item.spearman for item in plain])):
        for share in (0.1, 0.25, 0.5, 0.75, 0.9, 0.95):
            below = np.mean(np.array(own) <= np.quantile(chance(dim, kind).scores, share))  # type: ignore[arg-type]
            assert below == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / len(own)))


def test_chance_passes_point_nine_five_in_few_dimensions_and_the_95_point_says_so() -> None:
    high = [chance(dim).high for dim in (2, 3, 4, 5)]
    assert high == pytest.approx([0.999, 0.962, 0.896, 0.836], abs=0.003)
    assert [round(chance(dim).mean, 2) for dim in (2, 3, 4, 5)] == [0.90, 0.83, 0.77, 0.73]
    assert chance(2).share_above(0.95) == pytest.approx(0.40, abs=0.02)
    assert chance(3).share_above(chance(3).high) == pytest.approx(0.05, abs=0.001)
    assert chance(3) is chance(3)  # computed once
    assert chance(3, "spearman").high < chance(3).high


def test_correlated_latents_score_higher_by_chance_and_a_world_has_the_chance_of_its_latents() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4000, 3))
    assert chance_among(z).median == pytest.approx(chance(3).median, abs=0.01)
    assert chance_among(z @ np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1]])).median > chance(3).median + 0.02
    assert chance_in(latent_preset("each")) is chance(3)
    assert chance_in(latent_preset("perfect")).high > chance(3).high + 0.01


def test_r2_does_not_see_a_rotation() -> None:
    rng = np.random.default_rng(1)
    for dim in (2, 3, 4, 5):
        z = rng.standard_normal((2000, dim))
        turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        assert score(z, z @ turn).r2 > 0.999
    assert assignment(correlations(z, z)).tolist() == [0, 1, 2, 3, 4]


@given(st.integers(2, 5), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_order_sign_and_scale_of_a_fit_change_no_agreement(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = rng.standard_normal((200, dim))
    other = one + 0.5 * rng.standard_normal((200, dim))
    same = (other * rng.choice([-3.0, 0.2], dim) + 5)[:, rng.permutation(dim)]
    for kind in ("pearson", "spearman"):
        assert agreement(one, same, kind) == pytest.approx(agreement(one, other, kind))  # type: ignore[arg-type]
        assert agreement(same, one, kind) == pytest.approx(agreement(one, same, kind))  # type: ignore[arg-type]
        assert agreement(one, (one * 2 - 1)[:, ::-1], kind) == pytest.approx(1)  # type: ignore[arg-type]
    bent = np.exp(2 * other)[:, rng.permutation(dim)]
    assert agreement(one, bent, "spearman") == pytest.approx(agreement(one, other, "spearman"))
    assert agreement(other, bent, "spearman") == pytest.approx(1)
    assert agreement(other, bent, "pearson") < 0.95


def test_agreement_of_several_fits_is_the_mean_over_pairs_and_none_where_there_is_no_pair() -> None:
    rng = np.random.default_rng(0)
    fits = [rng.standard_normal((200, 3)) for _ in range(3)]
    pairs = [agreement(fits[a], fits[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert agreement_of(fits) == pytest.approx(np.mean(pairs))
    assert agreement_of([*fits, np.full((200, 3), np.nan)]) == pytest.approx(np.mean(pairs))  # a restart that diverged
    assert agreement_of(fits[:1]) is None


@pytest.mark.parametrize(
    ("z", "found", "says"),
    [
        (np.zeros((30, 2)), np.zeros((20, 2)), "give as many of each"),
        (np.zeros((30, 3)), np.zeros((30, 2)), "2 coordinates were recovered of 3"),
        (np.zeros((30, 2)), np.full((30, 2), np.nan), "the fit diverged"),
    ],
)
def test_what_cannot_be_scored_is_said_in_a_line(z: np.ndarray, found: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        score(z, found)


# -- flows -------------------------------------------------------------------------------------------------------------


def shaken(family: str, dim: int = 3) -> Flow:
    """A flow whose weights are not those of its start."""
    flow = Flow([(0, 0), (1, 0)], dim, 2, family=family, dtype=torch.float64)  # type: ignore[arg-type]
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in flow.parameters():
            value += 0.3 * torch.randn(value.shape, generator=rng, dtype=torch.float64)
    return flow


@pytest.mark.parametrize("family", ["bend", "coupling"])
def test_the_log_determinant_is_that_of_autograds_jacobian_and_the_inverse_leads_back(family: str) -> None:
    flow = shaken(family)
    x = torch.randn((2, 7, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    latents, log_det = flow(x)
    for m in range(2):
        for row in range(7):
            jacobian = torch.autograd.functional.jacobian(
                lambda one, m=m, row=row: flow(x.index_put((torch.tensor(m), torch.tensor(row)), one))[0][m, row],
                x[m, row],
            )
            assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(float(log_det[m, row]), abs=1e-8)
    torch.testing.assert_close(flow.inverse(latents), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("family", ["bend", "coupling"])
def test_the_likelihood_is_scipys_gaussian_plus_the_log_determinant_and_its_gradient_is_right(
    family: str,
) -> None:
    from scipy.stats import norm

    flow = shaken(family, 2)
    x = torch.randn((2, 2, 5, 2), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    latents, log_det = flow(x.flatten(1, 2))
    for m in range(2):
        u = latents[m].detach().numpy().reshape(2, 5, 2)
        mean, scale = (
            flow.mean[m, :, :, 0].detach().numpy().T,
            np.exp(flow.log_scale[m, :, :, 0].detach().numpy().T),
        )
        density = norm.logpdf(u, mean[:, None], scale[:, None]).sum(axis=-1).mean() + float(log_det[m].mean())
        assert float(flow.loss(x)[m]) == pytest.approx(-density, rel=1e-10)
    parameters = flow.parameters()
    assert torch.autograd.gradcheck(lambda *_: flow.loss(x), parameters, atol=1e-6)


def test_a_model_trains_in_a_batch_as_it_would_alone() -> None:
    seeds = draw(replace(latent_preset("each"), n_rows=200), [5, 6])
    together = Flow([(5, 0), (5, 1), (6, 0), (6, 1)], 3, 4, dtype=torch.float64)
    both = fit(together, seeds.train, seeds.choose, seeds.look, restarts=2, steps=20, dtype=torch.float64)
    one = draw(replace(latent_preset("each"), n_rows=200), [6])
    alone = Flow([(6, 1)], 3, 4, dtype=torch.float64)
    single = fit(alone, one.train, one.choose, one.look, restarts=1, steps=20, dtype=torch.float64)
    assert both.losses[1, 1] == pytest.approx(single.losses[0, 0], rel=1e-9)


def test_restarts_are_chosen_by_likelihood_on_rows_kept_for_it_and_never_by_the_truth() -> None:
    seeds = draw(replace(latent_preset("each"), n_rows=200), [5])
    model = Flow([(5, 0), (5, 1), (5, 2)], 3, 4)
    found = fit(model, seeds.train, seeds.choose, seeds.look, restarts=3, steps=30)
    assert found.chosen[0] == found.losses[0].argmin()
    with pytest.raises(Diverged, match="the likelihood is not finite"):
        fit(Flow([(5, 0)], 3, 4), seeds.train * 1e30, seeds.choose * 1e30, seeds.look, restarts=1, steps=2)


def test_labels_can_be_thrown_together_or_dealt_out_anew_over_the_same_rows() -> None:
    seeds = draw(replace(latent_preset("each"), n_rows=200), [5])
    pooled, shuffled = relabelled(seeds, "pooled").train, relabelled(seeds, "shuffled").train
    assert pooled.shape == (1, 1, 800, 3)
    assert shuffled.shape == seeds.train.shape
    for rows in (pooled, shuffled):
        np.testing.assert_allclose(np.sort(rows.reshape(-1, 3), axis=0), np.sort(seeds.train.reshape(-1, 3), axis=0))
    assert np.ptp(shuffled.std(axis=2)) < np.ptp(seeds.train.std(axis=2))


def test_mmd_of_groups_agrees_with_the_program_s_own() -> None:
    phi = torch.randn((2, 3, 20, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for m in range(2):
        flat = phi[m].flatten(0, 1)
        h = float(torch.cdist(flat, flat).flatten().median())
        pairs = [float(mmd2(phi[m, a], phi[m, b], h)) for a in range(3) for b in range(a + 1, 3)]
        assert float(mmd2_of_groups(phi)[m]) == pytest.approx(np.mean(pairs), rel=1e-6)


def test_linear_ways_find_what_they_can_and_ica_needs_no_labels_under_a_linear_mixing() -> None:
    seeds = draw(latent_preset("linear"), [500])
    assert score(seeds.z[0], fast_ica(seeds.train[0], seeds.look[0])).mcc > 0.99
    assert score(seeds.z[0], generalised_eigenvectors(seeds.train[0], seeds.look[0])).mcc > 0.8
    assert score(seeds.z[0], pca(seeds.train[0], seeds.look[0])).r2 > 0.99


# -- what is recovered -------------------------------------------------------------------------------------------------


def test_each_latent_changed_once_is_recovered_and_shuffled_labels_recover_nothing() -> None:
    """The smallest size that still shows it: one seed, one restart, half of the steps."""
    world = replace(latent_preset("each-4"), n_rows=1000)
    rows = recover(world, [500], ["flow", "flow-shuffled"], restarts=1, steps=700)
    kept, shuffled = (row.score for row in rows)
    assert kept is not None
    assert shuffled is not None
    assert kept.mcc > 0.93
    assert shuffled.mcc < 0.85
    assert shuffled.r2 > 0.85  # which does not see the failure


def test_in_a_chain_the_noises_are_recovered_and_not_the_latents() -> None:
    (row,) = recover(latent_preset("chain"), [500], restarts=1, steps=700)
    assert row.score is not None
    assert row.against_noise is not None
    assert row.against_noise.mcc > 0.9
    assert row.score.mcc < 0.85


def test_five_latents_are_recovered_too() -> None:
    (row,) = recover(latent_preset("each-5"), [0], restarts=1, steps=700)
    assert row.score is not None
    assert row.score.mcc > 0.9 > row.chance.high


def test_a_redraw_has_other_rows_of_the_same_world_and_the_same_rows_to_look_at() -> None:
    world = latent_preset("chain")
    one, other, third = (sample_world(world, 3, redraw) for redraw in (0, 1, 2))
    np.testing.assert_array_equal(one.test.x, other.test.x)
    for part in ("train", "choose"):
        assert not np.allclose(getattr(one, part).x, getattr(other, part).x)
        assert not np.allclose(getattr(other, part).x, getattr(third, part).x)
    slopes = [np.polyfit(item.train.z[0, :, 0], item.train.z[0, :, 1], 1)[0] for item in (one, other)]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.1)


def test_in_one_shipped_world_all_fits_agree_and_are_wrong_while_the_right_one_agrees_less() -> None:
    """Over five seeds: agreement without the truth ranks the methods the wrong way round."""
    rows = recover(latent_preset("perfect"), list(range(5)), ["fastica", "causes"], redraws=2)
    for wrong, right in zip(rows[:5], rows[5:], strict=True):
        assert wrong.score is not None
        assert right.score is not None
        assert wrong.rows_agree is not None
        assert right.rows_agree is not None
        assert wrong.rows_agree > 0.999
        assert wrong.score.mcc < wrong.chance.mean  # worse than turning the truth at random
        assert right.score.mcc > right.chance.high
        assert right.score.mcc > 0.99
        assert right.rows_agree < wrong.rows_agree


def test_restarts_of_the_flow_agree_there_as_well() -> None:
    (row,) = recover(replace(latent_preset("perfect"), n_rows=1000), [0], restarts=2, steps=400)
    assert row.score is not None
    assert row.restarts_agree is not None
    assert row.restarts_agree > 0.99
    assert row.score.mcc < row.chance.median
    assert row.rows_agree is None


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_the_likelihood_of_cut_edges_leads_to_the_latents_from_exact_covariances(dim: int) -> None:
    rng = np.random.default_rng(dim)
    edges = np.tril(rng.uniform(0.8, 1.4, (dim, dim)), -1)  # any graph, not only a chain
    mixing = rng.standard_normal((dim, dim))
    covariances = []
    for e in range(dim + 1):
        scales, kept = np.ones(dim), edges.copy()
        if e:
            scales[e - 1], kept[e - 1] = 2.5, 0
        root = mixing @ np.linalg.inv(np.eye(dim) - kept) * scales
        covariances.append(root @ root.T)
    cut = np.vstack([np.zeros(dim, bool), np.eye(dim, dtype=bool)])
    found = causes_of(np.array(covariances), cut) @ mixing  # from true latents to recovered ones
    np.testing.assert_allclose(np.abs(found / np.diag(found)[:, None]), np.eye(dim), atol=2e-3)


def test_a_flow_under_cut_edges_has_scipys_likelihood_and_latents_linear_in_it() -> None:
    from scipy.stats import multivariate_normal

    world = replace(latent_preset("perfect-smooth"), n_rows=200)
    flow = CausesFlow([(0, 0), (0, 1)], 3, targets(world), dtype=torch.float64)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in flow.parameters():
            value += 0.2 * torch.randn(value.shape, generator=rng, dtype=torch.float64)
    x = torch.randn((2, 4, 5, 3), generator=rng, dtype=torch.float64)
    hidden, log_det = flow(x.flatten(1, 2))
    for m in range(2):
        u = hidden[m].detach().numpy().reshape(4, 5, 3)
        density = float(log_det[m].mean())
        for e in range(4):
            root = np.linalg.inv(flow.whiten[m, e].detach().numpy())
            own = multivariate_normal(flow.mean[m, :, e, 0].detach().numpy(), root @ root.T)
            density += own.logpdf(u[e]).mean() / 4
        assert float(flow.loss(x)[m]) == pytest.approx(-density, rel=1e-9)
        found = flow.latents(x.flatten(1, 2))[m].numpy()
        assert np.linalg.lstsq(hidden[m].detach().numpy(), found, rcond=None)[1].max() < 1e-12


@pytest.mark.parametrize("method", [name for name in METHOD_WORDS if not name.startswith("flow-")])
def test_every_method_gives_a_score(method: str) -> None:
    (row,) = recover(replace(latent_preset("each"), n_rows=200), [500], [method], restarts=1, steps=20)
    assert row.score is not None
    assert 0 < row.score.mcc <= 1
    assert set(row.to_dict()) >= {"method", "seed", "mcc", "per_coordinate", "r2", "floor", "floor_95"}
    assert set(row.to_dict()) >= {"restarts_agree", "rows_agree"}


def test_the_tradeoff_lowers_both_what_alignment_asks_for_and_what_identification_needs() -> None:
    world = LatentWorld(scales=single_targets(2, 3), outcome=(1.0, 0.0), n_rows=400)
    none, much = tradeoff(world, [500], 200, (0.0, 300.0))
    assert much["mmd2"] < none["mmd2"]
    assert much["mcc"] < none["mcc"]
    with pytest.raises(ValueError, match="needs a world with an outcome"):
        tradeoff(latent_preset("each"), [500], 10)
    y = np.arange(100.0)
    assert best_single(np.column_stack([np.sin(y), y]), y) == pytest.approx(1)


# -- command -----------------------------------------------------------------------------------------------------------


def test_the_command_gives_rows_of_scores(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify", "--preset", "linear", "--methods", "pca", "fastica", "--seeds", "2", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["method"], row["seed"]) for row in rows] == [
        ("pca", 500),
        ("pca", 501),
        ("fastica", 500),
        ("fastica", 501),
    ]
    assert all({"mcc", "per_coordinate", "r2", "floor"} <= set(row) for row in rows)
    assert main(["identify", "--methods", "pca", "--seeds", "1"]) == 0
    shown = capsys.readouterr().out
    assert "an MCC below the second shows nothing" in shown
    assert "0.829, 0.962" in shown  # mean and 95 % point of random rotations
    assert "rows" not in shown.split("\n")[2]  # nothing was fitted twice
    assert main(["identify", "--preset", "perfect", "--methods", "pca", "--seeds", "1", "--redraws", "1"]) == 0
    assert "rows 0." in capsys.readouterr().out


def test_the_command_of_a_world_gives_that_world(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[LatentWorld] = []
    monkeypatch.setattr(
        "crl_core.identify.flows.recover.recover",
        lambda world, seeds, *_, **__: asked.append((world, seeds)) or [],
    )
    worlds = [(name, item.world) for name, item in LATENT_PRESETS.items()]
    worlds.append(
        (
            "chain",
            LatentWorld(
                scales=((1, 1), (2.5, 0.4)),
                means=((0, 0), (1, -2)),
                mixing="coupling",
                edges="perfect",
                dim_x=4,
            ),
        )
    )
    for name, world in worlds:
        main(shlex.split(command_of(name, world, 7))[3:])
        assert asked.pop() == (world, [7])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--preset", "nonsense"], "there is no latent world 'nonsense'"),
        (["--methods", "nonsense"], "there is no method nonsense"),
        (["--redraws", "9"], "redraws is 9; from 0 to 5"),
        (["--scales", "0,0,0", "0,0,0"], "A scale of 0 leaves nothing of a latent"),
        (["--scales", "a,b"], "--scales has 'a,b'; write an environment as numbers with commas"),
        (["--means", "0,0,0", "a"], "--means has 'a'; write an environment as numbers with commas"),
        (["--means", "0,0,0"], "give one mean for each scale"),
        (["--mixing", "taste"], "mixing is 'taste'"),
        (["--edges", "taste"], "edges is 'taste'"),
        (["--dim-x", "2"], "the observed dimension must be from 3"),
        (["--scales", "1,1,1,1,1,1", "1,1,1,1,1,2"], "the number of latents is 6"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["identify", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


# -- what was shipped --------------------------------------------------------------------------------------------------


def test_the_shipped_figures_bear_out_what_is_said_of_them() -> None:
    content = shipped(ROOT / "cache" / "baked")
    assert content is not None
    worlds, stairs = content["worlds"], content["staircase"]
    for name, median, least in (("each", 0.97, 0.95), ("each-4", 0.96, 0.95)):
        mcc = of_method(worlds[name], "flow")
        assert len(mcc) >= 10
        assert np.median(mcc) >= median
        assert (mcc >= least).mean() >= 0.9
    assert np.median(of_method(worlds["each-4"], "flow-shuffled")) <= 0.80
    pair = np.median(coordinates(worlds["untouched-pair"]), axis=0)
    assert pair[:2].min() >= 0.95
    assert pair[2:].max() <= 0.90
    assert np.median(coordinates(stairs["4"]), axis=0).min() >= 0.95  # one untouched latent is no loss
    tied = np.median(coordinates(worlds["same-ratio"]), axis=0)
    assert tied[2:].min() - tied[:2].max() >= 0.04
    assert np.median(of_method(worlds["chain"], "flow", "mcc_noise")) >= 0.93
    assert np.median(of_method(worlds["chain"], "flow")) <= 0.80


def test_a_shipped_file_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert shipped(tmp_path) is None
    for place, text in enumerate(("{", "{}", '{"version": 0, "worlds": {}}')):
        folder = tmp_path / str(place)
        folder.mkdir()
        (folder / BAKED.file).write_text(text)
        assert shipped(folder) is None


def test_an_answer_from_before_fits_were_compared_has_a_dash_for_it() -> None:
    content = shipped(ROOT / "cache" / "baked")
    assert content is not None
    row = content["worlds"]["each"][0]
    older = {name: value for name, value in row.items() if not name.endswith("_agree")}
    assert agreed([older], "flow") == "–"
    assert agreed([older | {"restarts_agree": 0.5, "rows_agree": None}], "flow") == "0.500"
    assert agreed([older | {"restarts_agree": 0.5, "rows_agree": 0.25}], "flow") == "0.250"
    assert agreed([older | {"restarts_agree": 0.5}], "pca") == "–"
