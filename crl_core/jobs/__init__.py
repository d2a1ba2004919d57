"""Who computes, where and when: the queue, the worker process, and one run carried out."""

from crl_core.jobs.manager import JobManager, JobState, Phase

__all__ = ["JobManager", "JobState", "Phase"]
