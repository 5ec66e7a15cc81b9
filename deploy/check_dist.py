"""Check what `make dist` has built: wheel and sdist have every file of the packages, and no other.

python deploy/check_dist.py dist
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("router_core", "tasks", "waybill", "workers")
#: beside the packages in the wheel's folder of metadata, and in the sdist
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}
OF_SDIST = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", "setup.cfg"}


def main() -> None:
    """Check the newest wheel and sdist of a folder; exit with what is wrong."""
    folder = Path(sys.argv[1])
    problems = [*wheel_problems(newest(folder, "*.whl")), *sdist_problems(newest(folder, "*.tar.gz"))]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{folder}: the wheel and the sdist have all {len(package_files())} files of the packages")


def newest(folder: Path, pattern: str) -> Path:
    """Return the newest file of a kind."""
    return max(folder.glob(pattern), key=lambda file: file.stat().st_mtime)


def package_files() -> set[str]:
    """Return the paths of all files of the packages."""
    found = (file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file())
    return {str(file.relative_to(ROOT)) for file in found if "__pycache__" not in file.parts}


def wheel_problems(wheel: Path) -> list[str]:
    """Return what is missing in a wheel, and what should not be there."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    own = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    metadata = {name.partition("/")[2] for name in own}
    return [
        *differences("the wheel", names - own, package_files()),
        *differences("its metadata", metadata, METADATA),
    ]


def sdist_problems(sdist: Path) -> list[str]:
    """Return what is missing in an sdist, and what should not be there."""
    with tarfile.open(sdist) as archive:
        names = {one.name.partition("/")[2] for one in archive if one.isfile()}
    names = {name for name in names if not name.startswith("waybill.egg-info/")}
    return differences("the sdist", names, package_files() | OF_SDIST)


def differences(what: str, names: set[str], wanted: set[str]) -> list[str]:
    """Return a line for each name that is missing or too many."""
    missing = [f"{what} lacks {name}" for name in sorted(wanted - names)]
    return [*missing, *(f"{what} has {name}, which is not in the tree" for name in sorted(names - wanted))]


if __name__ == "__main__":
    main()
