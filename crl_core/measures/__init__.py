"""What stands beside a picture: overlap, probes, baselines, the choice of λ, effects, all in NumPy.

Who fits something with scikit-learn, or asks scipy.stats, loads it in the function: both take half a second, and every
server, worker and command reads these modules at its start.
"""
