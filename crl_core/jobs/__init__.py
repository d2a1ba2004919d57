"""Who computes, where and when: the queue, the executors, the worker process, and one run carried out."""

from crl_core.jobs.executors import Executor, Here, LocalProcess
from crl_core.jobs.manager import JobManager, JobState, Phase

__all__ = ["Executor", "Here", "JobManager", "JobState", "LocalProcess", "Phase"]
