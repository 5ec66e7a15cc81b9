"""`waybill judge`: judges compare collected answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.wording import counted
from workers.cli.amounts import budget_option
from workers.cli.batch_ids import full_ids
from workers.cli.exit_codes import ExitCode
from workers.cli.output import info, write, write_json
from workers.cli.processes import split_names
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.learning.judge_plan import JudgePlan
    from tasks.store.learning.run_queries import RunSummary


def judge(
    collections: Annotated[
        list[str] | None,
        typer.Argument(metavar="COLLECT", help="Batches of `collect`; without any, the newest."),
    ] = None,
    judges: Annotated[
        str, typer.Option(metavar="A,B", help="One to five models; default: [judge] models.")
    ] = "",
    budget: Annotated[float | None, budget_option("Never spend more than this on judges.")] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Judge every pair, also where the winner is known.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be judged, and what it costs; store nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let judges compare the answers to each sampled prompt; what was judged before is not judged again."""
    from tasks.learning import judge_plan, judging
    from tasks.money.budgets import budget_of
    from workers.cli.watch import follow_to_end

    with open_store() as (settings, store):
        if dry_run:
            asked = full_ids(store, collections)
            planned = judge_plan.plan(
                store, settings, asked, judges=split_names(judges), every_pair=all_pairs
            )
            _show_plan(planned, as_json=json)
            return
        run = judging.begin(
            store,
            settings,
            full_ids(store, collections),
            judges=split_names(judges),
            every_pair=all_pairs,
            budget=budget_of(settings.budget if budget is None else budget),
        )
        info(f"{counted(run.prompts, 'prompt')} to judge")
        if not wait:
            write_json({"batch_id": run.batch_id, "prompts": run.prompts}) if json else write(run.batch_id)
            return
        end = follow_to_end(store, settings, run.batch_id)
        _show(judging.summary(store, run.batch_id), as_json=json)
        raise typer.Exit(_exit_code(judging.summary(store, run.batch_id), end))


def _show_plan(planned: JudgePlan, *, as_json: bool) -> None:
    from workers.views.call_costs import costs_lines, costs_text

    if as_json:
        write_json({**asdict(planned), "most": asdict(planned.most)})
    pairs, calls = (
        f"{few:,}" if few == most else f"{few:,} to {most:,}"
        for few, most in ((planned.fewest_pairs, planned.pairs), (planned.fewest.calls, planned.most.calls))
    )
    fewest = "" if planned.fewest == planned.most else f"about ${planned.fewest.cost_usd:,.4f} to "
    compared = f"{counted(planned.prompts, 'prompt')}, {counted(len(planned.costs), 'judge')}"
    info(f"{compared}: {pairs} pairs, {calls} calls; {fewest}{costs_text(planned.most)}")
    for line in costs_lines(planned.costs):
        info(f"  {line}, for all pairs")


def _show(run: RunSummary, *, as_json: bool) -> None:
    write_json(asdict(run)) if as_json else write(run.batch_id)
    states = ", ".join(f"{number} {state}" for state, number in sorted(run.prompts.items()))
    judges = counted(len(run.judges), "judge")
    info(f"{states}: {run.judged:,} of {run.pairs:,} pairs, {judges}, {run.calls:,} calls{_saved(run)}")


def _saved(run: RunSummary) -> str:
    """Return the share of pairs that were not needed; those of prompts that were stopped are not saved."""
    if not run.settled_pairs:
        return ""
    saved = 1 - run.settled_judged / run.settled_pairs
    return f"; {saved:.0%} of the pairs of settled prompts were not needed"


def _exit_code(run: RunSummary, end: ExitCode) -> ExitCode:
    """Return the exit status of a run: every prompt must be settled, and calls may have failed."""
    if end is ExitCode.BUDGET_STOP:
        return end
    return ExitCode.DONE if set(run.prompts) <= {"settled"} else ExitCode.SOME_FAILED
