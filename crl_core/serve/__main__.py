"""`python -m crl_core.serve FILE …`: the command `serve` alone, with the packages it needs and no others."""

from __future__ import annotations

import argparse
import sys

from crl_core.serve.server import SAYS, add_options, run_server

PROGRAM = "python -m crl_core.serve"


def main() -> int:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=SAYS)
    add_options(parser)
    try:
        return run_server(parser.parse_args())
    except ValueError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
