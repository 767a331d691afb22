"""Runs notebooks per municipality, keeps what still stands, and survives being killed.

`run_jobs` runs what is out of date, `job_states` says what that is and why. A result
counts only if its record, written last, fits its inputs, code, parameters, libraries and
its own bytes.
"""

from evalkit.runs.jobs import Job
from evalkit.runs.progress import JobResult, RunEvent, RunSummary, pace_text, progress_bar
from evalkit.runs.record import JobState, default_code_paths
from evalkit.runs.run import ENGINES, job_states, run_jobs
from evalkit.runs.status import status_lines

__all__ = [
    "ENGINES",
    "Job",
    "JobResult",
    "JobState",
    "RunEvent",
    "RunSummary",
    "default_code_paths",
    "job_states",
    "pace_text",
    "progress_bar",
    "run_jobs",
    "status_lines",
]
