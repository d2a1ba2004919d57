"""What stands beside a picture: overlap, probes, baselines, the choice of λ, effects, all in NumPy."""
