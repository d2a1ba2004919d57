"""`python -m crl_core.serve FILE …`: the command `serve` alone, with the packages it needs and no others."""

from __future__ import annotations

import argparse
import sys

from crl_core.serve.server import SAYS, add_options, run_server

PROGRAM = "python -m crl_core.serve"


def main() -> int:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=SAYS)
    add_options(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    try:
        return run_server(options)
    except ValueError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        if options.debug:
            raise
        print(f"{PROGRAM}: {type(error).__name__}: {error!s:.200}; --debug shows where.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
