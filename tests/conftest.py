"""What property tests draw: the same in every run of the suite, so that two runs agree; fresh where asked to explore.

`pytest -m hypothesis --hypothesis-profile=explore` draws anew (and `--hypothesis-seed N` repeats such a run).
Neither has a deadline: how long an example takes depends on what else the machine does.
"""

from hypothesis import settings

settings.register_profile("the same for all", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("the same for all")
