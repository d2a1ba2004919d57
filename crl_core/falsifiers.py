"""`measures.falsifiers`, under the name that the README of version 1 gave it."""

from crl_core.measures.falsifiers import *  # noqa: F403
