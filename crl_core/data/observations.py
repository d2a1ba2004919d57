"""What is seen of a row: the map from its latents z and s, its hospital and noise to x. The members of `OBSERVATIONS`:

covariates  z and s themselves, or a mixing of them
ecg         a trace: z moves the beat, s is the level of the hum, and a hospital is a recorder (`ecg`)
digits      an image: z decides which digit it shows, s is the light of the lamp (`digits`)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crl_core.data import digits, ecg
from crl_core.data.fields import shown
from crl_core.data.streams import Stream, rng_for

if TYPE_CHECKING:  # a scenario is seen by these, which need no more of it than its numbers
    from crl_core.data.scenario import Scenario

MAX_NUMBERS = 8_000_000  # in all rows of a world whose x is a trace or an image
AlterMachine = Callable[[Any], Any]  # of an `ecg.Machine`, or a `digits.Camera`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hidden:
    """Rows before anything is seen of them.

    z: [n, dz].  s: [n, ds].  env: [n].  trained: [n] bool, which of them are trained on; read where there are pools.
    seed: of the run: it decides the mixing, and which images are trained on.
    """

    z: np.ndarray
    s: np.ndarray
    env: np.ndarray
    trained: np.ndarray
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One way of seeing.

    width:    numbers in a row's x.
    machine:  what records rows of the environments env [n]; None where nothing stands between a row and its x.
    record:   x [n, width] of hidden rows through that machine; without a generator, without a recording's noise.
    check:    raises ValueError with one sentence where a scenario cannot be seen so.
    of_place: the fields of a scenario that say what machine a hospital has, one value an environment.
    pools:    whether what rows are of is drawn from one pool where they are trained on, and from another elsewhere.
    """

    width: Callable[[Scenario], int]
    machine: Callable[[Scenario, np.ndarray], Any]
    record: Callable[[Scenario, Hidden, Any, np.random.Generator | None], np.ndarray]
    check: Callable[[Scenario], None]
    of_place: tuple[str, ...] = ()
    pools: bool = False


def seen(
    scenario: Scenario, rows: Hidden, rng: np.random.Generator | None, another: AlterMachine | None = None
) -> np.ndarray:
    """x of hidden rows, [n, dim_x].

    rng:     of what a recording adds; None: nothing.
    another: machine than the world's, made of it; no matter where there is none.
    """
    machine = machine_of(scenario, rows.env)
    if another is not None and machine is not None:
        machine = another(machine)
    return OBSERVATIONS[scenario.observation].record(scenario, rows, machine, rng)


def machine_of(scenario: Scenario, env: np.ndarray) -> Any:
    """What records rows of the environments `env` [n]; None where nothing stands between a row and its x."""
    return OBSERVATIONS[scenario.observation].machine(scenario, env)


# -- covariates --------------------------------------------------------------------------------------------------------


def mixing_maps(scenario: Scenario, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The two orthogonal maps of a mixing, [d, d] each; a rotation uses the first alone."""
    rng = rng_for(seed, Stream.MIXING)
    first, second = (np.linalg.qr(rng.standard_normal((scenario.dim_x,) * 2))[0] for _ in range(2))
    return first, second


def mix(u: np.ndarray, scenario: Scenario, seed: int) -> np.ndarray:
    """Covariates x of the latents u = [z, s], both [n, d]. The map depends on `seed` alone, never on the rows."""
    if scenario.mixing == "none":
        return u
    first, second = mixing_maps(scenario, seed)
    if scenario.mixing == "rotation":
        return np.asarray(u @ first)
    bent = u @ first
    return np.asarray((0.25 * bent + 0.75 * np.tanh(bent)) @ second)  # strictly increasing, so invertible


def _mixed(scenario: Scenario, rows: Hidden, _: None, __: np.random.Generator | None) -> np.ndarray:
    return mix(np.concatenate([rows.z, rows.s], axis=1), scenario, rows.seed)


# -- an ECG ------------------------------------------------------------------------------------------------------------


def _recorder(scenario: Scenario, env: np.ndarray) -> ecg.Machine:
    return ecg.Machine(
        **_of_rows(scenario, env),
        rate=scenario.rate,
        samples=scenario.samples,
        hum_hz=scenario.hum_hz,
        hum_mv=scenario.hum_mv,
        phase=scenario.hum_phase,
        saturation=scenario.saturation,
        wander=scenario.wander,
    )


def _trace(scenario: Scenario, rows: Hidden, machine: ecg.Machine, rng: np.random.Generator | None) -> np.ndarray:
    return ecg.traces(rows.z, rows.s[:, 0], scenario.latents, machine, rng)


def _check_traces(scenario: Scenario) -> None:
    if len(scenario.latents) != scenario.dim_causal or scenario.dim_spurious != 1 or scenario.mixing != "none":
        raise ValueError(
            f"an ECG needs one of latents for each of the {scenario.dim_causal} causal dimensions, one spurious "
            f"dimension and no mixing; latents is {', '.join(scenario.latents)}, dim_spurious {scenario.dim_spurious} "
            f"and mixing {scenario.mixing}."
        )
    seconds = scenario.samples / scenario.rate
    if seconds < ecg.RR:
        raise ValueError(
            f"{scenario.samples} samples at {scenario.rate:g} a second are {seconds:.2f} s, less than a "
            f"beat of {ecg.RR:g} s; raise scenario.samples or lower scenario.rate."
        )
    for name, least in (("highpass", 0.05), ("saturation", 0.5)):
        values = getattr(scenario, name)
        if any(0 < value < least for value in (values if isinstance(values, tuple) else (values,))):
            raise ValueError(f"{name} is {shown(values)}; it must be 0 for none, or {least:g} or more.")
    if scenario.n_samples * scenario.samples > MAX_NUMBERS:
        raise ValueError(
            f"{scenario.n_samples} traces of {scenario.samples} samples are more than {MAX_NUMBERS:,} numbers; "
            f"use at most {MAX_NUMBERS // scenario.samples} traces, or fewer samples."
        )


# -- an image ----------------------------------------------------------------------------------------------------------


def _camera(scenario: Scenario, env: np.ndarray) -> digits.Camera:
    return digits.Camera(**_of_rows(scenario, env), light=scenario.light)


def _image(scenario: Scenario, rows: Hidden, camera: digits.Camera, rng: np.random.Generator | None) -> np.ndarray:
    found = digits.which(rows.z[:, 0], scenario.separation, rows.trained, rows.seed)
    return digits.taken(digits.all_images()[0][found], rows.s[:, 0], camera, rng)


def _check_images(scenario: Scenario) -> None:
    if scenario.outcome != "binary":
        raise ValueError(
            "the label of an image is whether it shows a 5 or more, and outcome is number; set scenario.outcome to "
            "binary: no world of images with an effect that can be read from them was found."
        )
    if (scenario.dim_causal, scenario.dim_spurious, scenario.mixing) != (1, 1, "none"):
        raise ValueError(
            "an image needs one causal and one spurious dimension and no mixing; dim_causal is "
            f"{scenario.dim_causal}, dim_spurious {scenario.dim_spurious} and mixing {scenario.mixing}."
        )


def _of_rows(scenario: Scenario, env: np.ndarray) -> dict[str, np.ndarray]:
    """What of a machine is its hospital's own, by field, [n] each."""
    return {name: np.asarray(getattr(scenario, name))[env] for name in OBSERVATIONS[scenario.observation].of_place}


OBSERVATIONS: Mapping[str, Observation] = {
    "covariates": Observation(
        width=lambda scenario: scenario.dim_causal + scenario.dim_spurious,
        machine=lambda scenario, env: None,
        record=_mixed,
        check=lambda scenario: None,
    ),
    "ecg": Observation(
        width=lambda scenario: scenario.samples,
        machine=_recorder,
        record=_trace,
        check=_check_traces,
        of_place=("gain", "highpass", "notch", "electrode_noise"),
    ),
    "digits": Observation(
        width=lambda scenario: digits.PIXELS,
        machine=_camera,
        record=_image,
        check=_check_images,
        of_place=("pixel_noise",),
        pools=True,
    ),
}
