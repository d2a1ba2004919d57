"""Sentences about a latent say what the probes say, and no more."""

from math import nan

from hypothesis import given
from hypothesis import strategies as st

from crl_core.measures.probe_words import p_text, r2_text, what_the_latent_knows

MAYBE = st.floats(-1, 1) | st.just(nan)


def test_a_small_mmd_with_s_still_readable_is_called_hidden_not_forgotten() -> None:
    said = what_the_latent_knows(10.0, 0.99, 0.97, mmd2=0.01, mmd2_at_0=0.9, p_value=0.005)
    assert "s can still be read from this latent (R² .97): it is only hidden from the kernel." in said


def test_a_difference_that_chance_explains_is_hidden_from_the_kernel_too() -> None:
    assert "hidden from the kernel" in what_the_latent_knows(0.1, 0.9, 0.9, 0.02, 0.03, p_value=0.4)


def test_where_the_kernel_still_sees_the_difference_nothing_is_called_hidden() -> None:
    said = what_the_latent_knows(1e-4, 0.99, 0.97, mmd2=0.8, mmd2_at_0=0.9, p_value=0.005)
    assert "hidden" not in said
    assert "the kernel still sees the difference" in said


def test_without_a_penalty_nothing_is_said_to_be_hidden_or_gone() -> None:
    for r2_s in (0.05, 0.3, 0.99):
        said = what_the_latent_knows(0.0, 0.99, r2_s, mmd2=0.9, mmd2_at_0=0.9, p_value=0.005)
        assert "hidden" not in said
        assert "little of it" not in said


def test_forgetting_is_claimed_only_where_s_cannot_be_read() -> None:
    assert "neither probe finds more" in what_the_latent_knows(10.0, 0.99, 0.04, 0.01, 0.9, 0.3)
    assert "neither probe finds more" not in what_the_latent_knows(10.0, 0.99, 0.3, 0.01, 0.9, 0.3)


def test_between_treatment_arms_the_penalty_is_not_said_to_hide_s() -> None:
    for p_value in (0.005, 0.6):
        said = what_the_latent_knows(10.0, 0.97, 1.0, 0.008, 0.2, p_value, align="treatment")
        assert "hidden" not in said
        assert "treatment arms apart" in said


def test_losing_the_cause_is_told() -> None:
    assert "lost what the outcome depends on" in what_the_latent_knows(100.0, 0.1, 0.1, 0.0, 0.9, 0.5)


@given(lam=st.floats(0, 100), r2_z=MAYBE, r2_s=MAYBE, mmd2=MAYBE, at_0=MAYBE, p=MAYBE)
def test_no_figure_however_broken_puts_nan_on_the_page(
    lam: float, r2_z: float, r2_s: float, mmd2: float, at_0: float, p: float
) -> None:
    said = what_the_latent_knows(lam, r2_z, r2_s, mmd2, at_0, p)
    assert "nan" not in said.lower()
    assert said.endswith(".")


def test_r2_is_written_as_papers_do() -> None:
    assert [r2_text(v) for v in (0.974, 1.0, 0.996, 0.0, -3.0, nan)] == [
        ".97",
        "1.00",
        "1.00",
        "0",
        "0",
        "not defined",
    ]


def test_a_permutation_p_value_keeps_its_digits_where_they_matter() -> None:
    assert [p_text(v) for v in (1 / 201, 0.0498, 0.42, nan)] == ["0.005", "0.050", "0.42", "not defined"]


def test_what_is_not_defined_is_said_of_each_and_the_kernel_is_not_quoted_without_a_p_value() -> None:
    one_only = what_the_latent_knows(1.0, nan, 0.99, 0.5, 0.6, 0.005)
    assert one_only.startswith("s can still be read from this latent (R² .99)")
    assert "Whether z can be read is not defined" in one_only
    no_pairs = what_the_latent_knows(1.0, 0.98, 0.99, 0.0, 0.0, nan)
    assert "kernel" not in no_pairs
    assert "s can still be read from this latent (R² .99)." in no_pairs
