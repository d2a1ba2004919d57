"""The structural equations of a scenario in LaTeX, with the numbers in force and without the terms that are zero."""

from __future__ import annotations

from crl_core.config import Scenario
from crl_core.data.scm import SLOPE
from crl_core.world.graph import cause_decides, differs


def equations(scenario: Scenario) -> str:
    """An `aligned` environment, a line a variable. A number with subscript e is one of the table of environments."""
    z = r"\bar z" if scenario.dim_causal > 1 else "z"
    s = r"\bar s" if scenario.dim_spurious > 1 else "s"
    i = rf",\quad i \le {scenario.dim_causal}" if scenario.dim_causal > 1 else ""
    label = scenario.outcome == "binary"
    lines = [rf"y &\sim \mathrm{{Bernoulli}}({_one(scenario.prevalence, 'p^y_e')})"] if label else []
    root = rf" / \sqrt{{{scenario.dim_causal}}}" if i else ""
    shift = rf" + {_n(scenario.separation)}\,(2y - 1){root}" if label else ""
    lines.append(f"z{'_i' if i else ''} &\\sim {_normal(scenario.cause_mean, scenario.cause_scale)}{shift}{i}")
    if i:
        lines.append(rf"\bar z &= \textstyle\sum_i z_i / \sqrt{{{scenario.dim_causal}}}")
    lines.append(f"t &\\sim {_treatment(scenario, z)}")
    if not label:
        lines += _outcomes(scenario, z, s)
    j = rf",\quad j \le {scenario.dim_spurious}" if scenario.dim_spurious > 1 else ""
    eta = r"\eta_j" if j else r"\eta"
    lines.append(f"s{'_j' if j else ''} &= {_nuisance(scenario, eta)}{j}")
    if j:
        lines.append(rf"\bar s &= \textstyle\sum_j s_j / \sqrt{{{scenario.dim_spurious}}}")
    both = r"[z,\, s]"
    mixed = {
        "none": both,
        "rotation": rf"Q\,{both}",
        "nonlinear": rf"Q_2\, g(Q_1\,{both})",
    }
    if scenario.observation == "covariates":
        lines.append(f"x &= {mixed[scenario.mixing]}")
    else:
        lines += {"ecg": _trace, "digits": _image}[scenario.observation](scenario)
    return r"\begin{aligned}" + r"\\[.25em] ".join(lines) + r"\end{aligned}"


def _trace(scenario: Scenario) -> list[str]:
    """The recording in millivolts, over seconds u."""
    gain = "" if scenario.gain == (1.0,) * scenario.n_envs else _one(scenario.gain, r"\mathrm{gain}_e") + r"\,"
    wander = r" + \mathrm{wander}(u)" if scenario.wander else ""
    heart = rf"\mathrm{{ECG}}_z(u){wander}"
    phase = r" + \varphi" if scenario.hum_phase == "random" else ""
    hum = rf"{_n(scenario.hum_mv)}\,e^s \sin(2\pi\,{_n(scenario.hum_hz)}\,u{phase})"
    added = [hum] if scenario.hum_mv else []
    if any(scenario.electrode_noise):
        added.append(rf"{_one(scenario.electrode_noise, chr(92) + 'kappa_e')}\,\xi_u")
    whole = "v_u" if scenario.saturation else "x_u"
    lines = [f"{whole} &= " + (rf"{gain}({heart})" if gain and wander else gain + heart)]
    lines += [rf"&\quad + {' + '.join(added)}"] if added else []  # on one line it is wider than its panel
    if scenario.saturation:
        lines.append(rf"x_u &= {_n(scenario.saturation)} \tanh(v_u / {_n(scenario.saturation)})")
    filters = [
        rf"\text{{{word} }} {_one(values, letter)}{unit}"
        for word, values, letter, unit in (
            ("a notch of", scenario.notch, r"\nu_e", ""),
            ("a high-pass of", scenario.highpass, "f_e", r"\text{ Hz}"),
        )
        if any(values)
    ]
    if filters:
        both = r" \text{ and } ".join(filters)
        lines.append(rf"&\quad \text{{through }} {both}")
    return lines


def _image(scenario: Scenario) -> list[str]:
    """Every pixel p of an image."""
    added = [rf"{_n(scenario.light)}\,s"] if scenario.light else []
    if any(scenario.pixel_noise):
        added.append(rf"{_one(scenario.pixel_noise, chr(92) + 'rho_e')}\,\xi_p")
    return ["x_p &= " + " + ".join([r"\mathrm{digit}_z(p)", *added])]


def _one(values: tuple[float, ...], letter: str) -> str:
    """A number that all environments share, or the letter of one that they do not."""
    return _n(values[0]) if len(set(values)) == 1 else letter


def _outcomes(scenario: Scenario, z: str, s: str) -> list[str]:
    along_z = rf"2\sin 2{z} + {z}^2 / 2" if scenario.surface == "waves" else _sum((SLOPE, z))
    base = along_z + _sum((scenario.interaction, rf"{z}\,{s}"), first=False)
    modifier = rf"\tanh 2{z}" if scenario.surface == "waves" else z
    effect = _sum((scenario.effect, ""), (scenario.heterogeneity, modifier))
    noise = rf" + {_n(scenario.noise)}\,\varepsilon" if scenario.noise else ""
    return [f"y^0 &= {base}", f"y^1 &= y^0{'' if effect == '0' else _joined(effect)}", f"y &= y^t{noise}"]


def notes(scenario: Scenario) -> str:
    """Meanings of the letters of `equations`, as far as they occur."""
    label, recorded = scenario.outcome == "binary", scenario.observation != "covariates"
    letters = [*(["ε"] if scenario.noise and not label else []), "η", *(["ξ"] if recorded else [])]
    words = [f"{' and '.join(letters)}: {'independent ' if len(letters) > 1 else ''}standard normal noise."]
    if differs(scenario).anything:
        words.append("Numbers with the subscript e differ between environments: see the table.")
    words.append("Treatment has no part in y." if label else f"The effect of the treatment is {_plain(scenario)}.")
    if scenario.observation == "ecg":
        moved = {
            "st": "the level of ST by .1 mV",
            "t": "the T wave by .1 mV",
            "qrs": "the width of QRS by 15 %",
            "qt": "the length of QT by 8 %",
        }
        words.append(
            f"ECG: a beat in closed form; a unit of z moves "
            f"{' and '.join(moved[name] for name in scenario.latents)}. u: seconds."
        )
    elif scenario.observation == "digits":
        words.append(
            "Digit: a handwritten one of 8 × 8 pixels p; the larger z, the later in the order from 0 to 9, and those "
            "of z > 0 are 5 or more."
        )
    if scenario.mixing == "rotation":
        words.append("Q: a fixed rotation.")
    elif scenario.mixing == "nonlinear":
        words.append("Q₁, Q₂: fixed rotations; g bends each coordinate smoothly, 0.25 u + 0.75 tanh u.")
    return " ".join(words)


def _plain(scenario: Scenario) -> str:
    if scenario.heterogeneity == 0:
        return f"{scenario.effect:g} for everyone".replace("-", "−")
    letter = "z̄" if scenario.dim_causal > 1 else "z"
    letter = f"tanh 2{letter}" if scenario.surface == "waves" else letter
    sign = "−" if scenario.heterogeneity < 0 else "+"
    return f"{scenario.effect:g} {sign} {abs(scenario.heterogeneity):g} {letter}".replace("-", "−")


def _treatment(scenario: Scenario, z: str) -> str:
    same = len(set(scenario.propensity)) == 1
    p = _n(scenario.propensity[0]) if same else "p_e"
    if not cause_decides(scenario):
        return rf"\mathrm{{Bernoulli}}({p})"
    half = same and scenario.propensity[0] == 0.5
    inner = ("" if half else rf"\mathrm{{logit}}\,{p}") + _term(scenario.confounding, z, first=half)
    return rf"\mathrm{{Bernoulli}}(\mathrm{{sigmoid}}({inner}))"


def _nuisance(scenario: Scenario, eta: str) -> str:
    offset, sigma = scenario.offset, scenario.sigma
    parts = []
    if len(set(offset)) > 1:
        parts.append(r"\mathrm{offset}_e")
    elif offset[0]:
        parts.append(_n(offset[0]))
    if scenario.leak:
        y = "y" if scenario.outcome == "number" else "(2y - 1)"
        parts.append(_term(scenario.leak, y, first=not parts))
    if len(set(sigma)) > 1:
        parts.append((" + " if parts else "") + r"\sigma_e\," + eta)
    elif sigma[0]:
        parts.append(_term(sigma[0], eta, first=not parts))
    return "".join(parts) or "0"


def _normal(mean: tuple[float, ...], scale: tuple[float, ...]) -> str:
    centre = _n(mean[0]) if len(set(mean)) == 1 else r"\mu_e"
    spread = r"\kappa_e^2" if len(set(scale)) > 1 else "1" if scale[0] == 1 else f"{_n(scale[0])}^2"
    return rf"\mathcal N({centre},\, {spread})"


def _sum(*terms: tuple[float, str], first: bool = True) -> str:
    """The terms that are not zero; not `first`: as the rest of a sum, which may be nothing."""
    parts: list[str] = []
    for value, symbol in terms:
        if value:
            parts.append(_term(value, symbol, first=first and not parts))
    return "".join(parts) or ("0" if first else "")


def _joined(total: str) -> str:
    return f" {total}" if total.startswith("-") else f" + {total}"


def _term(value: float, symbol: str, *, first: bool) -> str:
    if value == 0:
        return ""
    sign = ("-" if first else " - ") if value < 0 else ("" if first else " + ")
    number = "" if abs(value) == 1 and symbol else _n(abs(value))
    return f"{sign}{number}{chr(92) + ',' if number and symbol else ''}{symbol}"


def _n(value: float) -> str:
    return f"{value:.6g}"
