"""The progress of a row: its files in the state folder and in the repository, and the code that trains it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from training.files import read_header, read_json, write
from training.rows import QueueError, Row

__all__ = ["Repository", "Run"]


@dataclass(frozen=True)
class Repository:
    """A git checkout.

    Attributes
    ----------
    root : Path
    """

    root: Path

    def git(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run git.

        Raises
        ------
        QueueError
            git fails and `check` is True.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-C", str(self.root), *words], capture_output=True, text=True, env=environment, check=False
        )
        if check and done.returncode:
            raise QueueError(f"git {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def commit(self, name: str) -> str | None:
        """Return the hash of a commit; None if this clone does not have it."""
        done = self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False)
        return None if done.returncode else done.stdout.strip()

    def contains(self, commit: str, file: str, text: str) -> bool:
        """Whether a file of a commit contains a text."""
        done = self.git("grep", "--quiet", "--fixed-strings", "-e", text, commit, "--", file, check=False)
        return done.returncode == 0

    def check_out(self, commit: str, path: Path) -> None:
        """Create a worktree of a commit, unless it exists and is clean."""
        if path.exists():
            worktree = Repository(path)
            # in a damaged worktree, git finds the checkout around it
            top = worktree.git("rev-parse", "--show-toplevel", check=False).stdout.strip()
            changes = worktree.git("status", "--porcelain", check=False)
            is_own = bool(top) and Path(top).resolve() == path.resolve()
            if is_own and worktree.commit("HEAD") == commit and not changes.returncode and not changes.stdout.strip():
                return
        self.remove_worktree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.git("worktree", "add", "--force", "--detach", str(path), commit)

    def remove_worktree(self, path: Path) -> None:
        """Remove a worktree, if it exists."""
        self.git("worktree", "remove", "--force", "--force", str(path), check=False)
        shutil.rmtree(path, ignore_errors=True)
        self.git("worktree", "prune", check=False)


@dataclass(frozen=True)
class Run:
    """The training of a row.

    Attributes
    ----------
    row : Row
    repository : Repository
    state_folder : Path
        Folder of the state of the queue.
    """

    row: Row
    repository: Repository
    state_folder: Path

    @property
    def folder(self) -> Path:
        """Folder in which the training runs."""
        return self.state_folder / "runs" / self.row.name

    @property
    def weights(self) -> Path:
        """The model that the training writes."""
        return self.folder / f"{self.row.name}.safetensors"

    @property
    def state(self) -> Path:
        """The state from which the training is resumed."""
        return self.folder / f"{self.row.name}.safetensors.state"

    @property
    def log(self) -> Path:
        """The log of the training."""
        return self.folder / f"{self.row.name}.log.jsonl"

    @property
    def output(self) -> Path:
        """The output of the training since it was last started."""
        return self.folder / "output.log"

    @property
    def worktree(self) -> Path:
        """The worktree with the code of the training."""
        return self.state_folder / "worktrees" / self.row.name

    @property
    def committed_weights(self) -> Path:
        """The weights in the repository."""
        return self.repository.root / self.row.weights

    @property
    def committed_log(self) -> Path:
        """The log in the repository."""
        return self.repository.root / self.row.log

    @property
    def committed_state(self) -> Path:
        """The compact state in the repository."""
        return self.repository.root / self.row.compact_state

    @property
    def record(self) -> dict[str, Any]:
        """The record of the run: commit, failed, lines."""
        return read_json(self.folder / "run.json")

    def note(self, **values: Any) -> None:
        """Replace the record."""
        write(self.folder / "run.json", json.dumps(values, indent=1).encode())

    # numbers of steps, 0 if there is no such file; they are read once, so a new Run is needed to see progress

    @cached_property
    def saved(self) -> int:
        """Number of steps of the state."""
        return int(read_header(self.state).get("state", {}).get("step", 0))

    @cached_property
    def compact(self) -> int:
        """Number of steps of the compact state in the repository."""
        return int(read_header(self.committed_state).get("state", {}).get("step", 0))

    @cached_property
    def finished(self) -> int:
        """Number of steps of the weights in the repository."""
        return int(read_header(self.committed_weights).get("graphclust", {}).get("steps", 0))

    @property
    def has_begun(self) -> bool:
        """Whether there is a state or model to resume from."""
        return bool(self.saved or self.compact or self.finished)

    @cached_property
    def missing(self) -> str:
        """What the code lacks for a run that has not started; empty if nothing is missing."""
        if self.has_begun:
            return ""
        commit = self.row.commit or "HEAD"
        for file, text in self.row.requires:
            if not self.repository.contains(commit, file, text):
                return f"{text} in {file}"
        return ""

    def commit(self) -> str:
        """Return the commit to train from: the one at which the run started, or the current one for a new run.

        Raises
        ------
        QueueError
            This clone does not have that commit.
        """
        recorded = self.row.commit or self.record.get("commit")
        commit = self.repository.commit(recorded) if recorded else None
        if recorded and commit is None and (self.row.commit or self.saved):
            raise QueueError(
                f"it started at commit {recorded}, which this clone does not have: fetch it, set another in the row "
                f'with commit = "...", or remove {self.folder} and {self.row.compact_state} to start over'
            )
        return commit or self.repository.git("rev-parse", "HEAD").stdout.strip()
