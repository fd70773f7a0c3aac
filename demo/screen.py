"""What the demo shows: a line per fact, a live status on a terminal, tables at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN = {
    "ProjectChanged": ("register_project", "cyan"),
    "ProjectRefused": ("register_project", "red"),
    "DatasetIngested": ("ingest_upload", "cyan"),
    "UploadQuarantined": ("ingest_upload", "red"),
    "TrainingSetAwaited": ("prepare_training_set", "yellow"),
    "TrainingSetRefused": ("prepare_training_set", "red"),
    "TrainingSetPrepared": ("prepare_training_set", "cyan"),
    "SearchPlanned": ("plan_search", "cyan"),
    "TrialFinished": ("run_trial", "blue"),
    "SearchFinished": ("advance_search", "cyan"),
    "SearchFailed": ("advance_search", "red"),
    "ModelFitted": ("fit_model", "cyan"),
    "ModelEvaluated": ("evaluate_model", "cyan"),
    "ModelPromoted": ("promote_model", "green"),
    "ModelHeld": ("promote_model", "yellow"),
    "LabelsJoined": ("ingest_labels", "blue"),
    "LabelsRefused": ("ingest_labels", "red"),
    "WindowChecked": ("check_drift", "cyan"),
    "DriftDetected": ("check_drift", "yellow"),
    "PerformanceDropped": ("check_drift", "yellow"),
    "RetrainRequested": ("decide_retrain", "green"),
    "RetrainDeclined": ("decide_retrain", "yellow"),
    "WorkResent": ("sweep", "red"),
    "WaiverEnded": ("sweep", "yellow"),
}
"""The stage that says a fact, and its colour."""


class Screen:
    """Prints the story; on a terminal with a status line that moves."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=200, force_terminal=False)
        self._started = time.monotonic()

    def act(self, title: str) -> None:
        """Begin a part of the story."""
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")

    def say(self, text: str) -> None:
        """A line of the storyteller."""
        self.console.print(Text(f"{self._clock()}  {text}"))

    def fact(self, name: str, summary: str) -> None:
        """A line for something that happened."""
        if name not in SHOWN:
            return
        stage, colour = SHOWN[name]
        line = Text(f"{self._clock()}  ")
        line.append(f"{stage:<21}", style="dim")
        line.append(f"{name:<20} ", style=f"bold {colour}")
        line.append(summary)
        self.console.print(line)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show what is waited for, while it is; silent where the output is no terminal."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(text):
            yield

    def table(self, title: str, rows: list[Mapping[str, str]]) -> None:
        """A table with the keys of the first row as its head."""
        if not rows:
            return
        table = Table(title=title, title_justify="left")
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row.values())
        self.console.print()
        self.console.print(table)

    def _clock(self) -> str:
        return f"{time.monotonic() - self._started:6.1f} s"
