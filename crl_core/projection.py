"""`measures.projection`, under the name by which notebooks that were taken home import it."""

from crl_core.measures.projection import *  # noqa: F403
