"""`data.interventions`, under the name that the README of version 1 gave it."""

from crl_core.data.interventions import *  # noqa: F403
