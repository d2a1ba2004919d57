"""Identifiability: latent worlds, what can be recovered in them, and scores of what was. None of this needs torch."""
