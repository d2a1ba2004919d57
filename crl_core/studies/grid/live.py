"""A study on a server, in the background. One at a time."""

from __future__ import annotations

from crl_core.jobs.background import Background
from crl_core.jobs.manager import JobManager
from crl_core.studies.grid import drive
from crl_core.studies.grid.study_file import Study


class Driver:
    """Drives the study that was started last. May be shared by threads."""

    def __init__(self, jobs: JobManager) -> None:
        self._jobs, self._background = jobs, Background(jobs)
        self._study: Study | None = None

    def start(self, study: Study, visitor: str = "") -> None:
        """Drive a study, or go on with it. Raises ValueError if another one is under way."""
        driven = self.driven
        if driven is not None and driven.id != study.id:
            raise ValueError(f"The study “{driven.title}” is under way; cancel it, or wait for its end.")
        self._study = study
        self._background.start(study.id, lambda executor: drive.carry_out(study, self._jobs.store, executor), visitor)

    def cancel(self, study_id: str) -> None:
        """Begin no further run, and cancel those under way; what is stored stays."""
        self._background.stop(study_id)

    @property
    def driven(self) -> Study | None:
        """The study that is under way; None if there is none."""
        study = self._study
        return study if study is not None and study.id in self._background.under_way() else None

    def problem(self, study_id: str) -> str:
        """Why a study could not be driven, in a sentence; "" where nothing is known against it."""
        return self._background.problem(study_id)
