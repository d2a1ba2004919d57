"""Identifiability: latent worlds, what can be recovered in them, and scores of it. Torch is under `flows` only."""
