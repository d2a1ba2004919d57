"""Addresses: every page by the names a person would type for it."""

from __future__ import annotations

import pytest

from pages.shared.places import TITLES
from pages.shared.shell import page_of

NAMES = list(TITLES.items())


@pytest.mark.parametrize(("stem", "title"), NAMES)
def test_a_page_is_meant_by_its_stem_and_its_title_however_they_are_written(stem: str, title: str) -> None:
    for name in (stem, title):
        for parted in (name, name.replace(" ", "-"), name.replace(" ", "_"), name.replace(" ", "")):
            for written in (parted, parted.lower(), parted.upper(), f"{parted}/", f"{parted}.py", f" {parted}.html"):
                assert page_of(written) == stem


@pytest.mark.parametrize(("typed", "stem"), [("home", "train"), ("lambda-path", "path"), ("export", "serve")])
def test_other_words_for_a_page_are_understood(typed: str, stem: str) -> None:
    assert page_of(typed) == stem


@pytest.mark.parametrize("typed", ["", "_", "no-such-page", "a/b", "."])
def test_what_names_no_page_means_none(typed: str) -> None:
    assert page_of(typed) is None
