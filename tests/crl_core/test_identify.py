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
from crl_core.identify.flows.fit import Diverged, fit
from crl_core.identify.flows.flow import Flow
from crl_core.identify.flows.networks import mmd2_of_groups
from crl_core.identify.flows.recover import recover
from crl_core.identify.flows.tradeoff import best_single, tradeoff
from crl_core.identify.latent_worlds import LatentWorld, sample_world, single_targets
from crl_core.identify.linear import fast_ica, generalised_eigenvectors, pca
from crl_core.identify.method_inputs import draw, relabelled
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.presets import LATENT_PRESETS, command_of, latent_preset
from crl_core.identify.promises import promise_of
from crl_core.identify.recovered import sentence
from crl_core.identify.scores import assignment, chance_floor, correlations, score
from crl_core.identify.shipped import BAKED, coordinates, of_method, shipped
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


def test_with_edges_the_promise_is_about_noises() -> None:
    assert promise_of(latent_preset("chain")).about == "noises"
    assert promise_of(replace(latent_preset("chain"), edges="perfect")).status == ("open",) * 3


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
    done = {"mcc": 0.98, "floor": 0.9, "r2": 0.99, "spearman": 0.97}
    done |= {"per_coordinate": per_coordinate, "mcc_latents": mcc_latents}  # type: ignore[dict-item]
    scores = "MCC 0.980; a random rotation scores 0.90. Linear R² 0.990, Spearman 0.970."
    chain, each = promise_of(latent_preset("chain")), promise_of(latent_preset("each"))
    assert sentence(each, done) == scores
    assert sentence(chain, done).startswith(scores)
    assert sentence(chain, done).endswith(ending)
    assert (chain.letter, each.letter) == ("ε", "z")


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


def test_the_chance_floor_is_that_of_random_rotations_and_r2_does_not_see_one() -> None:
    rng = np.random.default_rng(1)
    for dim, floor in ((2, 0.90), (3, 0.83), (4, 0.78), (5, 0.73)):
        z = rng.standard_normal((2000, dim))
        assert chance_floor(z) == pytest.approx(floor, abs=0.02)
        turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        assert score(z, z @ turn).r2 > 0.999
    assert assignment(correlations(z, z)).tolist() == [0, 1, 2, 3, 4]


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


@pytest.mark.parametrize("method", [name for name in METHOD_WORDS if not name.startswith("flow-")])
def test_every_method_gives_a_score(method: str) -> None:
    (row,) = recover(replace(latent_preset("each"), n_rows=200), [500], [method], restarts=1, steps=20)
    assert row.score is not None
    assert 0 < row.score.mcc <= 1
    assert set(row.to_dict()) >= {"method", "seed", "mcc", "per_coordinate", "r2", "floor"}


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
    assert "chance floor" in capsys.readouterr().out


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
