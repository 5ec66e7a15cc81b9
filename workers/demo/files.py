"""The files that the demo writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class DemoFiles:
    """The files of a demo, all of them in `home`."""

    home: Path

    @property
    def settings(self) -> Path:
        """The settings with which the other commands find the demo's store."""
        return self.home / "waybill.toml"

    @property
    def router(self) -> Path:
        """The directory of the router trained on the demo's labelled prompts."""
        return self.home / "router"

    @property
    def learnt_router(self) -> Path:
        """The directory of the router trained on the judges' labels."""
        return self.home / "learnt"

    @property
    def page_key(self) -> Path:
        """The id of the key that the demo made for its page; not its text."""
        return self.home / "page_key"

    @property
    def batch(self) -> Path:
        """The batch that is submitted."""
        return self.home / "batch.jsonl"

    @property
    def results(self) -> Path:
        """The answers, in the format of OpenAI's Batch API."""
        return self.home / "results.jsonl"

    @property
    def errors(self) -> Path:
        """The failures and bad lines, in the same format."""
        return self.home / "errors.jsonl"

    @property
    def report(self) -> Path:
        """The summary as Markdown."""
        return self.home / "report.md"
