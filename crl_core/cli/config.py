"""From typed text to a `RunConfig`: a preset or a file first, then the flags, then every --set in turn."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from crl_core.config import RunConfig
from crl_core.config.presets import DEFAULT_PRESET, preset
from crl_core.config.text import FLAGS, N_ENVS, altered, read
from crl_core.data.user_files import decode, place, read_text


def config_of(options: argparse.Namespace) -> RunConfig:
    """The config of the command line's options. Raises ValueError with one sentence."""
    if options.preset is not None and options.config is not None:
        raise ValueError("--preset and --config both say where to start; give one of them.")
    config = _from_file(options.config) if options.config is not None else preset(options.preset or DEFAULT_PRESET)
    if config.table is None:
        config = altered(config, **_of_environments(config, options.envs, options.sigma))
    elif options.envs is not None or options.sigma is not None:
        raise ValueError("--envs and --sigma change a scenario, and --config has a table; leave them out.")
    content = config.to_dict()
    for field, flag in FLAGS.items():
        value = getattr(options, flag.removeprefix("--"))
        if value is not None:
            content["training"][field] = value
    for assignment in options.set:
        try:
            part, field, value = read(assignment)
        except ValueError as error:
            raise ValueError(f"--set {error}") from None
        if part not in content:
            raise ValueError(f"--set {assignment}: --config has a table and no scenario; set fields of training only.")
        content[part][field] = value
    return RunConfig.from_dict(content)


def _from_file(name: str) -> RunConfig:
    try:
        return RunConfig.from_json(_standard_input() if name == "-" else read_text(name))
    except OSError as error:
        raise ValueError(
            f"--config {name}: {error.strerror or error}{place(name)}; give a file with a run's configuration."
        ) from None
    except ValueError as error:
        raise ValueError(f"--config {name}: {error}") from None
    except RecursionError:
        raise ValueError(f"--config {name}: this is nested too deeply to be a run's configuration.") from None


def _standard_input() -> str:
    if sys.stdin is None:
        raise ValueError("standard input is closed; send a run's configuration, or give a file.")
    raw = getattr(sys.stdin, "buffer", None)  # its bytes: what is sent may have another encoding than the terminal
    return sys.stdin.read() if raw is None else decode(raw.read())


def _of_environments(config: RunConfig, n_envs: Any, sigma: list[float] | None) -> dict[str, Any]:
    """--envs grows or shrinks the world; --sigma alone does so too if it has another number of values."""
    if sigma is None:
        return {} if n_envs is None else {N_ENVS: n_envs}
    if n_envs is not None and len(sigma) != n_envs:
        raise ValueError(f"--sigma has {len(sigma)} values for --envs {n_envs}; give one an environment.")
    changed = {} if len(sigma) == config.scenario.n_envs else {N_ENVS: len(sigma)}
    return {**changed, "sigma": tuple(sigma)}
