"""python -m crl_core"""

import sys

from crl_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
