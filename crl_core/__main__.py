"""python -m crl_core"""

import sys

from crl_core.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
