"""Tables to try the program on, two of them of our own making: `EXAMPLES`, `load_example`, `is_here`."""

from crl_core.data.tables.examples.registry import EXAMPLES, Example, is_here, load_example

__all__ = ["EXAMPLES", "Example", "is_here", "load_example"]
