"""Every penalty keeps the same promises, agrees with a second way to compute it, and trains a path like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import ot
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss

from crl_core import RunConfig, Scenario, Training, train
from crl_core.config import Penalty as Names
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.run import PAIRS
from crl_core.config.text import altered
from crl_core.data.matching import matches
from crl_core.ipm import mmd2
from crl_core.training.batches import pair_rows
from crl_core.training.penalties import REGISTRY, Batch, Penalty
from crl_core.training.penalties.base import gradient
from crl_core.training.penalties.latents import directions
from tests.crl_core.made_up import tiny_config
from tests.crl_core.test_conv1d import plain_convolution

ALL = list(REGISTRY.values())
ids = [item.id for item in ALL]
M, K = 3, 4


def batch(sizes: tuple[int, ...] = (16, 16), *, seed: int = 0, equal: bool = False) -> Batch:
    """Random rows of groups of these sizes, in float64; equal: every group has the same rows."""
    rng = torch.Generator().manual_seed(seed)
    n = sum(sizes)

    def rows(*shape: int) -> torch.Tensor:
        if not equal:
            return torch.randn((M, n, *shape), generator=rng, dtype=torch.float64)
        one = torch.randn((M, sizes[0], *shape), generator=rng, dtype=torch.float64)
        return torch.cat([one] * len(sizes), dim=1)

    label = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    member = torch.nn.functional.one_hot(label, len(sizes)).double().expand(M, n, len(sizes))
    return Batch(
        phi=rows(K),
        y_hat=rows(),
        y=rows(),
        member=member,
        bandwidth=torch.tensor([1.5, 2.0, 2.5], dtype=torch.float64),
        matched=torch.tensor([[0, 1, 2], [n - 1, n - 2, n - 3]]),
        valid=torch.ones((M, 3), dtype=torch.float64),
    )


def permuted(given: Batch, order: torch.Tensor) -> Batch:
    moved = {name: getattr(given, name)[:, order] for name in ("phi", "y_hat", "y", "member")}
    return replace(given, **moved, matched=torch.argsort(order)[given.matched])


def prepared(penalty: Penalty, given: Batch) -> Batch:
    """With what the penalty's opponent, if it has one, learns from the batch."""
    if penalty.opponent is None:
        return given
    rngs = [np.random.default_rng(r) for r in range(M)]
    return replace(given, opponent=penalty.opponent(rngs, 1, K, given.member.shape[-1], given.phi).learn(given))


BY_GROUP = [item for item in ALL if not item.needs_pairs]  # those that compare groups as a whole
by_group = [item.id for item in BY_GROUP]
VANISHING = [item for item in BY_GROUP if item.id in {"mmd-multi", "mmd-linear", "coral", "wasserstein", "vrex"}]


# -- promises of every penalty -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", ALL, ids=ids)
def test_its_gradient_is_the_derivative_of_its_value(penalty) -> None:  # type: ignore[no-untyped-def]
    given = prepared(penalty, batch((5, 6, 4)))
    variable = getattr(given, penalty.acts_on).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: penalty.value(replace(given, **{penalty.acts_on: rows})), (variable,))
    value, found = gradient(penalty, given)
    torch.testing.assert_close(value, penalty.value(given))
    (derivative,) = torch.autograd.grad(penalty.value(replace(given, **{penalty.acts_on: variable})).sum(), variable)
    torch.testing.assert_close(found, derivative)
    assert found.shape == getattr(given, penalty.acts_on).shape
    assert not found.requires_grad


@pytest.mark.parametrize("penalty", ALL, ids=ids)
def test_it_is_not_negative_and_the_order_of_rows_does_not_matter(penalty) -> None:  # type: ignore[no-untyped-def]
    given = prepared(penalty, batch((10, 14, 6)))
    value = penalty.value(given)
    assert value.shape == (M,)
    assert (value > 0).all() or penalty.id == "adversarial"  # a critic of one step may do worse than chance
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(penalty.value(permuted(given, order)), value)


@pytest.mark.parametrize("penalty", ALL, ids=ids)
def test_a_model_is_not_disturbed_by_the_others_of_its_batch(penalty) -> None:  # type: ignore[no-untyped-def]
    given = prepared(penalty, batch())
    fields = ("phi", "y_hat", "y", "member", "bandwidth", "valid")
    alone = replace(
        given,
        **{name: getattr(given, name)[1:2] for name in fields},
        opponent=tuple(part[1:2] for part in given.opponent),
    )
    torch.testing.assert_close(penalty.value(alone), penalty.value(given)[1:2])


@pytest.mark.parametrize("penalty", VANISHING, ids=[item.id for item in VANISHING])
def test_groups_with_the_same_rows_cost_nothing(penalty) -> None:  # type: ignore[no-untyped-def]
    value = penalty.value(batch((16, 16, 16), equal=True))
    torch.testing.assert_close(value, torch.zeros(M, dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("penalty", BY_GROUP, ids=by_group)
@pytest.mark.parametrize("sizes", [(20,), (20, 1), (20, 0)])
def test_without_two_groups_there_is_no_penalty_and_no_gradient(penalty, sizes: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    value, found = gradient(penalty, prepared(penalty, batch(sizes)))
    assert (value == 0).all()
    assert (found == 0).all()


@pytest.mark.parametrize(
    "penalty", [p for p in BY_GROUP if p.opponent is None], ids=[p.id for p in BY_GROUP if p.opponent is None]
)
def test_a_group_of_one_row_or_none_counts_for_nothing(penalty) -> None:  # type: ignore[no-untyped-def]
    three = batch((12, 15, 1))
    rest = replace(
        three, phi=three.phi[:, :27], y_hat=three.y_hat[:, :27], y=three.y[:, :27], member=three.member[:, :27, :2]
    )
    torch.testing.assert_close(penalty.value(three), penalty.value(rest))
    assert torch.isfinite(gradient(penalty, three)[1]).all()


def test_every_name_of_a_config_is_registered_and_explained() -> None:
    assert set(get_args(Names)) == {"mmd", *REGISTRY}
    assert set(PENALTY_WORDS) == set(get_args(Names))


# -- a second way to compute each --------------------------------------------------------------------------------------


def numpy_of(given: Batch, at: int = 0) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    member = given.member[at].numpy() > 0
    return tuple(  # type: ignore[return-value]
        [values[at].numpy()[member[:, e]] for e in range(member.shape[1])]
        for values in (given.phi, given.y_hat, given.y)
    )


def over_pairs(groups: list[np.ndarray], distance) -> float:  # type: ignore[no-untyped-def]
    n = len(groups)
    return float(np.mean([distance(groups[e], groups[f]) for e in range(n) for f in range(e + 1, n)]))


def test_mmd_over_three_bandwidths_is_the_mean_of_three_mmds() -> None:
    given = batch((9, 12, 8))
    for at in range(M):
        groups, _, _ = numpy_of(given, at)
        h = float(given.bandwidth[at])

        def three(a: np.ndarray, b: np.ndarray, h: float = h) -> float:
            return float(np.mean([float(mmd2(torch.tensor(a), torch.tensor(b), h * f)) for f in (0.5, 1, 2)]))

        assert REGISTRY["mmd-multi"].value(given)[at] == pytest.approx(over_pairs(groups, three), rel=1e-9)


def test_linear_mmd_and_coral_agree_with_numpy() -> None:
    given = batch((9, 12, 8))
    groups, _, _ = numpy_of(given)
    linear = over_pairs(groups, lambda a, b: np.sum((a.mean(0) - b.mean(0)) ** 2))
    coral = over_pairs(groups, lambda a, b: np.sum((np.cov(a.T) - np.cov(b.T)) ** 2) / (4 * K**2))
    assert REGISTRY["mmd-linear"].value(given)[0] == pytest.approx(linear, rel=1e-10)
    assert REGISTRY["coral"].value(given)[0] == pytest.approx(coral, rel=1e-10)


def test_sliced_wasserstein_agrees_with_pot_for_the_same_directions() -> None:
    given = batch((16, 16, 16))
    groups, _, _ = numpy_of(given)
    slices = directions(K, given.phi).numpy()
    pot = over_pairs(groups, lambda a, b: ot.sliced_wasserstein_distance(a, b, projections=slices, p=2) ** 2)
    assert REGISTRY["wasserstein"].value(given)[0] == pytest.approx(pot, rel=1e-9)
    other = batch((200, 120))  # groups of other sizes: within the stated accuracy
    groups, _, _ = numpy_of(other)
    pot = over_pairs(groups, lambda a, b: ot.sliced_wasserstein_distance(a, b, projections=slices, p=2) ** 2)
    assert REGISTRY["wasserstein"].value(other)[0] == pytest.approx(pot, rel=0.5)


def test_irm_and_vrex_agree_with_their_definitions_by_autograd() -> None:
    given = batch((9, 12, 8))
    _, y_hat, y = numpy_of(given)
    risks, slopes = [], []
    for own_hat, own in zip(y_hat, y, strict=True):
        w = torch.ones((), dtype=torch.float64, requires_grad=True)
        risk = (w * torch.tensor(own_hat) - torch.tensor(own)).square().mean()
        (slope,) = torch.autograd.grad(risk, w)
        risks.append(float(risk.detach()))
        slopes.append(float(slope))
    assert REGISTRY["irm"].value(given)[0] == pytest.approx(np.mean(np.square(slopes)), rel=1e-10)
    assert REGISTRY["vrex"].value(given)[0] == pytest.approx(np.var(risks), rel=1e-10)


def test_info_nce_agrees_with_two_cross_entropies_of_scikit_learn() -> None:
    given = batch((9, 12))
    for at in range(M):
        phi, h = given.phi[at].numpy(), float(given.bandwidth[at])
        a, b = phi[given.matched[0].numpy()], phi[given.matched[1].numpy()]
        score = -((a[:, None] - b[None]) ** 2).sum(-1) / (2 * 0.1 * h**2)
        own = [0, 1, 2]
        both = [log_loss(own, softmax(table, axis=1), labels=own) for table in (score, score.T)]
        assert REGISTRY["contrastive"].value(given)[at] == pytest.approx(np.mean(both), rel=1e-8)


def test_pairs_that_only_fill_up_are_neither_counted_nor_anyones_alternative() -> None:
    three = batch((9, 12))
    padded = replace(
        three,
        matched=torch.cat([three.matched, three.matched[:, :2]], dim=1),
        valid=torch.cat([three.valid, torch.zeros((M, 2), dtype=torch.float64)], dim=1),
    )
    contrastive = REGISTRY["contrastive"]
    torch.testing.assert_close(contrastive.value(padded), contrastive.value(three))
    torch.testing.assert_close(gradient(contrastive, padded)[1], gradient(contrastive, three)[1])
    for valid in (three.valid * 0, three.valid * torch.tensor([1.0, 0, 0])):
        value, found = gradient(contrastive, replace(three, valid=valid))
        assert (value == 0).all()
        assert (found == 0).all()
    assert (contrastive.value(replace(three, matched=three.matched[:, :0], valid=three.valid[:, :0])) == 0).all()


def test_a_pairs_penalty_is_lowest_where_partners_meet_and_pairs_are_apart() -> None:
    given = batch((9, 12))
    met = given.phi.clone()
    met[:, given.matched[1]] = met[:, given.matched[0]] = 50 * torch.eye(K, dtype=torch.float64)[:3]
    assert (REGISTRY["contrastive"].value(replace(given, phi=met)) < 1e-6).all()


def test_the_critics_value_is_log_two_less_the_cross_entropy_of_scikit_learn() -> None:
    given = prepared(REGISTRY["adversarial"], batch((9, 21)))
    w1, b1, w2, b2 = (part[0].numpy() for part in given.opponent)
    phi = given.phi[0].numpy()
    logits = np.maximum((phi - phi.mean(0)) / 1.5 @ w1 + b1, 0) @ w2 + b2
    label = np.repeat([0, 1], [9, 21])
    expected = log_loss(label, softmax(logits, axis=1), sample_weight=np.where(label == 0, 1 / 9, 1 / 21))
    assert REGISTRY["adversarial"].value(given)[0] == pytest.approx(np.log(2) - expected, rel=1e-8)


def test_a_critic_that_may_learn_tells_groups_apart_and_cannot_where_they_are_equal() -> None:
    penalty = REGISTRY["adversarial"]
    for equal, low, high in ((True, -0.05, 0.01), (False, 0.5, np.log(2))):
        given = batch((60, 60), equal=equal)
        shift = 0.0 if equal else 4.0
        given = replace(given, phi=given.phi + shift * given.member[..., :1])
        critic = penalty.opponent([np.random.default_rng(r) for r in range(M)], 1, K, 2, given.phi)  # type: ignore[misc]
        for _ in range(200):
            learned = critic.learn(given)
        value = penalty.value(replace(given, opponent=learned))
        assert ((low <= value) & (value <= high)).all()


def test_group_weights_follow_the_exponentiated_gradient() -> None:
    given = batch((9, 12, 8))
    _, y_hat, y = numpy_of(given)
    risk = np.array([np.mean((a - b) ** 2) for a, b in zip(y_hat, y, strict=True)])
    weights = REGISTRY["groupdro"].opponent([np.random.default_rng(0)] * M, 1, K, 3, given.phi)  # type: ignore[misc]
    weights.learn(given)
    (q,) = weights.learn(given)
    expected = np.exp(0.02 * risk) / np.exp(0.02 * risk).sum()
    np.testing.assert_allclose(q[0].numpy(), expected, rtol=1e-10)
    assert REGISTRY["groupdro"].value(replace(given, opponent=(q,)))[0] == pytest.approx(float(expected @ risk))


# -- training ----------------------------------------------------------------------------------------------------------


def config_of(name: str, **more: object) -> RunConfig:
    config = tiny_config()
    return replace(
        config,
        scenario=replace(config.scenario, shared_units=8),
        training=replace(config.training, penalty=name, **more),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", ids)
def test_a_path_is_trained_by_any_of_them_and_its_weight_lowers_it(name: str) -> None:
    run = train(config_of(name, lams=(0.0, 10.0), epochs=8, batch_size=64))
    assert (run.status != 1).all()
    assert np.isfinite(run.history["penalty"]).all()
    if name != "adversarial":  # its critic learns as well: the value says who is ahead
        assert run.history["penalty"][-1, 1] < run.history["penalty"][-1, 0]
    assert run.config.key != tiny_config().key


@pytest.mark.parametrize("encoder", ["mlp", "conv1d"])
@pytest.mark.parametrize("name", ids)
def test_a_step_is_that_of_the_plainest_torch_loop(name: str, encoder: str) -> None:
    """One epoch of one full batch by autograd over everything, against the hand-written backward pass."""
    from crl_core.data.scm import Stream, rng_for
    from crl_core.results import data_of
    from crl_core.training.nets import initial_weights

    config = replace(
        config_of(name, lams=(3.0,), epochs=1, batch_size=1024, device="cpu", standardise=False),
        scenario=Scenario(n_samples=100, propensity=(0.7, 0.3), offset=(1.0, -1.0), shared_units=8),
    )
    if encoder == "conv1d":
        config = altered(config, observation="ecg", samples=80, rate=100.0, encoder="conv1d")
    run = train(config, dtype="float64")
    rows, _ = data_of(config)
    start = initial_weights(rng_for(0, Stream.WEIGHTS), config.dim_x, 8, 4, encoder)
    params = {key: torch.tensor(value, dtype=torch.float64, requires_grad=True) for key, value in start.items()}
    order = rng_for(0, Stream.BATCHES).permutation(len(rows))
    x, y = torch.tensor(rows.x[order]), torch.tensor(rows.y[order])
    t, env = torch.tensor(rows.t[order]), torch.tensor(rows.env[order])

    def layer(key: str, values: torch.Tensor) -> torch.Tensor:
        return values @ params[key + ".weight"] + params[key + ".bias"]

    elu = torch.nn.functional.elu
    found = matches(rows, config.training.align, config.training.matching)
    pairs, real = pair_rows(rng_for(0, Stream.PAIRS), found, 1, PAIRS)
    of_pairs = REGISTRY[name].needs_pairs

    def latents(x: torch.Tensor) -> torch.Tensor:
        if encoder == "conv1d":
            return plain_convolution(params, x)
        return layer("encoder.2", elu(layer("encoder.1", elu(layer("encoder.0", x)))))

    phi = latents(x)
    arms = elu(layer("head.0", phi)).reshape(len(x), 2, -1)
    both = (arms * params["head.1.weight"]).sum(-1) + params["head.1.bias"]
    y_hat = both[torch.arange(len(x)), t]
    loss = sum((y_hat[t == arm] - y[t == arm]).square().mean() for arm in (0, 1))
    member = torch.nn.functional.one_hot(env, 2).double()[None]
    with torch.no_grad():
        pairwise = torch.cdist(phi, phi)[*torch.triu_indices(len(x), len(x), 1)]
        h = pairwise.kthvalue((len(pairwise) + 1) // 2).values[None]
    given = Batch(phi=phi[None], y_hat=y_hat[None], y=y[None], member=member, bandwidth=h)
    if of_pairs:
        given = replace(
            given,
            phi=latents(torch.tensor(rows.x[pairs[0]]))[None],
            valid=torch.tensor(real[:1]).double(),
            matched=torch.arange(2 * PAIRS).reshape(2, PAIRS),
        )
    elif REGISTRY[name].opponent is not None:
        opponent = REGISTRY[name].opponent([rng_for(0, Stream.CRITIC)], 1, 4, 2, phi)  # type: ignore[misc]
        given = replace(
            given, opponent=opponent.learn(replace(given, phi=phi[None].detach(), y_hat=y_hat[None].detach()))
        )
    (loss + 3.0 * REGISTRY[name].value(given)[0]).backward()  # type: ignore[union-attr]
    optimiser = torch.optim.Adam(params.values(), lr=config.training.learning_rate)
    optimiser.step()
    for key, value in params.items():
        np.testing.assert_allclose(run.weights[key][0], value.detach().numpy(), atol=2e-6, err_msg=key)


def test_an_unknown_penalty_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"penalty is .nonsense.; .*coral"):
        Training(penalty="nonsense")  # type: ignore[arg-type]
