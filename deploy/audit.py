"""Print known vulnerabilities of the locked dependencies, by PyPI's page of each project's newest release.

    python deploy/audit.py

`pip-audit` reads the page of each pinned release. Some mirrors have only the page without a version, whose
advisories are those of the newest release. So only pins of the newest release can be checked; the others are
listed. The exit status is 1 where an advisory is known.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOCKED = Path(__file__).resolve().parents[1] / "requirements.hashes"
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_PAGE = "https://pypi.org/pypi/{}/json"
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Audited:
    """A pin, the newest release, and the ids of that release's advisories."""

    name: str
    pinned: str
    newest: str
    advisories: tuple[str, ...]


def main() -> int:
    """Print what is known; return 1 where a pin has an advisory."""
    found = audit(_PIN.findall(LOCKED.read_text()))
    newest = [one for one in found if one.pinned == one.newest]
    bad = [one for one in newest if one.advisories]
    print(f"{len(found)} pins; {len(newest)} are the newest release, {len(bad)} of these with advisories")
    for one in bad:
        print(f"  {one.name} {one.pinned}: {', '.join(one.advisories)}")
    older = [f"{one.name} {one.pinned} ({one.newest})" for one in found if one not in newest]
    print(f"not known, for a newer release is out: {', '.join(older) or 'none'}")
    return int(bool(bad))


def audit(pins: Sequence[tuple[str, str]]) -> list[Audited]:
    """Look each pin up; raises OSError where PyPI cannot be reached."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(_look_up, pins))


def _look_up(pin: tuple[str, str]) -> Audited:
    name, pinned = pin
    with urllib.request.urlopen(_PAGE.format(name), timeout=_TIMEOUT_S) as reply:
        page = json.load(reply)
    advisories = tuple(str(one["id"]) for one in page["vulnerabilities"] if not one.get("withdrawn"))
    return Audited(name, pinned, page["info"]["version"], advisories)


if __name__ == "__main__":
    sys.exit(main())
