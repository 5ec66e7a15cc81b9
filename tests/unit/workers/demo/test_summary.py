"""What the demo prints is what docs/demo.md shows: the same names, and paths of the same kind."""

from __future__ import annotations

from pathlib import Path

from tests.support.paths import REPOSITORY
from tests.support.progress import DONE
from workers.demo.files import DemoFiles
from workers.demo.run import DemoOutcome
from workers.demo.summary import facts, sentences
from workers.views.batch_report import BatchReport

PAGE = (REPOSITORY / "docs" / "demo.md").read_text()
HOME = Path("/home/you/.waybill/demo")
OUTCOME = DemoOutcome(
    files=DemoFiles(home=HOME), report=BatchReport(DONE, (), (), {}), database=str(HOME / "waybill.db"),
    router_version="0123456789ab", best_single="sim-large", cost=1.0, best_single_cost=2.0,
    expected_bad_lines=0, loop=None,
)  # fmt: skip


def test_the_page_of_the_demo_shows_the_paths_that_the_command_prints() -> None:
    shown = facts(OUTCOME)
    for name in ("results", "errors", "database", "report"):
        assert f"\n{name:<12}{shown[name]}\n" in PAGE
    assert f"\nlook again  {shown['look again'].removesuffix(DONE.batch_id)}" in PAGE
    for line in sentences(OUTCOME).splitlines()[-2:]:
        assert f"\n{line}\n" in PAGE
    assert " .waybill" not in PAGE
