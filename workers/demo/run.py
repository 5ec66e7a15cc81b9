"""The demo: a router, the stack on simulated models, a batch with duplicates and bad lines, the loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.formats.writing import ResultFormat, write_results
from tasks.settings import CONFIG_VARIABLE, Settings, load_settings
from tasks.store import results
from tasks.store.engine import Store
from tasks.store.progress import Progress
from tasks.submission import submit
from tasks.submission.source import from_file
from workers.demo.data.batch import write_demo_batch
from workers.demo.data.labelled import LABELLED_PATH
from workers.demo.learning_loop import LearningLoop, LoopOutcome
from workers.routers import promotion
from workers.routers.training import train_router
from workers.stack.stack import Stack, StackOptions
from workers.views.batch_report import BatchReport, read_report

#: real providers fail now and then; the demo shows that nothing is lost by it
FLAKY_SHARE = 0.02
#: The demo shows the fallback classifier at work. Training decides by what pays on held-out prompts, and on
#: these labels, whose regressors leave little to win, that is no fallback at all.
TAU = 0.02


@dataclass(frozen=True, kw_only=True)
class DemoFiles:
    """Where the demo puts everything."""

    home: Path

    @property
    def settings(self) -> Path:
        """The settings with which the other commands find the demo's store."""
        return self.home / "waybill.toml"

    @property
    def router(self) -> Path:
        """The trained router."""
        return self.home / "router"

    @property
    def learnt_router(self) -> Path:
        """The router that judges' labels trained."""
        return self.home / "learnt"

    @property
    def batch(self) -> Path:
        """The batch that is submitted."""
        return self.home / "batch.jsonl"

    @property
    def results(self) -> Path:
        """The answers, as OpenAI's Batch API writes them."""
        return self.home / "results.jsonl"

    @property
    def errors(self) -> Path:
        """The failures and bad lines, in the same shape."""
        return self.home / "errors.jsonl"

    @property
    def report(self) -> Path:
        """The summary as Markdown."""
        return self.home / "report.md"


@dataclass(frozen=True, kw_only=True)
class DemoOutcome:
    """What the demo did. Costs are in dollars; `alone`: the same tokens at the prices of `best_single`.

    loop: once round the learning loop, None where nothing was to be judged.
    """

    files: DemoFiles
    report: BatchReport
    database: str
    router_version: str
    best_single: str
    cost: float
    best_single_cost: float
    expected_bad_lines: int
    loop: LoopOutcome | None

    @property
    def as_expected(self) -> bool:
        """Whether nothing failed but the lines that were written to fail."""
        state = self.report.progress
        return state.succeeded == state.total and state.invalid == self.expected_bad_lines


@dataclass(frozen=True, kw_only=True)
class DemoObserver:
    """Who watches: hears of steps and bad lines, and follows the batch while the stack is tended."""

    notify: Callable[[str], None]
    on_bad_line: Callable[[InputError], None]
    follow: Callable[[Store, str, Callable[[], None]], Progress]


def run_demo(home: Path, requests: int, judged: int, observer: DemoObserver) -> DemoOutcome:
    """Run the whole demo in `home`; raises what its parts raise, and leaves no process behind.

    judged: how many of the batch's prompts judges compare the answers to; with 0 the loop is left out.
    """
    files = DemoFiles(home=home.absolute())
    settings = _settings(files)
    options = StackOptions(simulate=True, flaky=FLAKY_SHARE, router=files.router)
    stack = Stack(settings, options, notify=observer.notify)
    observer.notify("starting Redis, the simulated models, the workers and Flower")
    stack.start()
    try:
        # The workers load while this process trains; they open the router when the first chunk comes.
        observer.notify("training a router on the demo's labelled prompts")
        router = train_router(
            stack.settings, [LABELLED_PATH], files.router, notify=_indented(observer.notify)
        )
        observer.notify(
            f"  held-out prompts choose tau {router.hyperparameters.tau:g}; the demo shows tau {TAU:g}"
        )
        store = Store(stack.settings.store_url)
        try:
            # A demo before this one may have left another champion.
            promotion.promote(store, stack.settings, promotion.register(store, files.router, source="demo"))
            batch = write_demo_batch(files.batch, requests)
            batch_id = _submit(store, stack.settings, files, observer)
            observer.follow(store, batch_id, stack.poll)
            outcome = _outcome(
                store,
                stack.settings,
                files,
                batch_id,
                version=router.version,
                best=router.best_single,
                bad=batch.bad,
            )
            loop = _run_loop(store, stack, batch_id, judged, observer) if judged else None
            return replace(outcome, loop=loop)
        finally:
            store.close()
    finally:
        observer.notify("stopping the stack")
        stack.stop()


def _indented(notify: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: notify(f"  {text}")


def _settings(files: DemoFiles) -> Settings:
    """Return the demo's own settings, for this process and those that it starts."""
    files.home.mkdir(parents=True, exist_ok=True)
    files.settings.write_text(
        f'# Written by `waybill demo`.\nhome = "{files.home}"\n\n[router]\ntau = {TAU}\n'
    )
    os.environ[CONFIG_VARIABLE] = str(files.settings)
    os.environ["WAYBILL_HOME"] = str(files.home)
    return load_settings()


def _submit(store: Store, settings: Settings, files: DemoFiles, observer: DemoObserver) -> str:
    return submit.submit(
        store,
        from_file(files.batch, settings),
        source=str(files.batch),
        options=submit.options_for(settings),
        on_error=observer.on_bad_line,
    )


def _outcome(
    store: Store, settings: Settings, files: DemoFiles, batch_id: str, *, version: str, best: str, bad: int
) -> DemoOutcome:
    tokens = _TokenCounter()
    records = tokens.counted(results.iter_results(store, batch_id))
    write_results(records, files.results, format=ResultFormat.OPENAI, errors=files.errors)
    report = read_report(store, batch_id)
    return DemoOutcome(
        files=files,
        report=report,
        database=settings.store_url.removeprefix("sqlite:///"),
        router_version=version,
        best_single=best,
        cost=report.progress.spent / 1_000_000,
        best_single_cost=tokens.cost(settings, best),
        expected_bad_lines=bad,
        loop=None,
    )


def _run_loop(store: Store, stack: Stack, batch_id: str, judged: int, observer: DemoObserver) -> LoopOutcome:
    observer.notify("the learning loop: as if there were no labels, only the list of models")

    def follow(batch_id: str) -> Progress:
        return observer.follow(store, batch_id, stack.poll)

    loop = LearningLoop(
        store=store, settings=stack.settings, follow=follow, notify=_indented(observer.notify)
    )
    return loop.run(batch_id, judged, DemoFiles(home=stack.settings.home).learnt_router)


class _TokenCounter:
    """Counts the tokens of the answers that were paid for, while they pass by."""

    def __init__(self) -> None:
        self._prompt = self._completion = 0

    def counted(self, records: Iterable[ResultRecord]) -> Iterator[ResultRecord]:
        for record in records:
            if record.body is not None and record.waybill["duplicate_of"] is None:
                usage = record.body.get("usage", {})
                self._prompt += usage.get("prompt_tokens", 0)
                self._completion += usage.get("completion_tokens", 0)
            yield record

    def cost(self, settings: Settings, name: str) -> float:
        """Dollars for these tokens at the prices of one model."""
        price = settings.model(name).price
        spent = self._prompt * price.input_per_million + self._completion * price.output_per_million
        return spent / MICROS_PER_DOLLAR
