"""The demo: a router, the stack with simulated models, a batch with duplicates and bad lines, the loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from router_core.data.labelled_prompts import read_labelled
from router_core.pricing import MICROS_PER_DOLLAR
from router_core.router import Router
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.formats.writing import ResultFormat, write_results
from tasks.private_home import make_folder
from tasks.settings import CONFIG_VARIABLE, Settings, load_settings
from tasks.store import results
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_file
from workers.demo.data.batch import DemoBatch, write_demo_batch
from workers.demo.data.labelled import LABELLED_PATH
from workers.demo.files import DemoFiles
from workers.demo.learning_loop import LearningLoop, LoopOutcome
from workers.demo.page_key import new_page_key
from workers.routers import promotion
from workers.routers.training import train_router
from workers.stack.options import StackOptions
from workers.stack.stack import FLAKY_SHARE, Stack
from workers.views.batch_report import BatchReport, read_report

#: The tau of the demo's router: with it the pairwise classifier is used. By itself training chooses tau on
#: held-out prompts, and on these labels it chooses 0: the regressors leave the classifier little to improve.
TAU = 0.02


@dataclass(frozen=True, kw_only=True)
class DemoOutcome:
    """The outcome of the demo; costs in dollars.

    Attributes:
        best_single: The best single model on the labelled prompts.
        best_single_cost: The cost of the same tokens at this model's prices.
        expected_bad_lines: Number of bad lines that the batch was written with.
        loop: The outcome of the learning loop; None where nothing was to be judged.
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
    """The callbacks of a demo.

    Attributes:
        notify: Gets a line for each step.
        on_bad_line: Gets each bad line of the batch.
        follow: Waits for a batch to end and returns its progress; it calls its third argument often, which
            keeps the stack running.
    """

    notify: Callable[[str], None]
    on_bad_line: Callable[[InputError], None]
    follow: Callable[[Store, str, Callable[[], None]], Progress]


def run_demo(home: Path, requests: int, judged: int, observer: DemoObserver) -> DemoOutcome:
    """Run the whole demo in `home`, and leave no process behind.

    Args:
        requests: Number of lines of the batch.
        judged: Number of prompts whose answers judges compare; 0 leaves the learning loop out.

    Raises:
        WaybillError, RouterCoreError, WorkersError: A part of the demo failed.
    """
    files = DemoFiles(home=home.absolute())
    options = StackOptions(simulate=True, flaky=FLAKY_SHARE, router=files.router, api=True)
    stack = Stack(_settings(files), options, notify=observer.notify)
    observer.notify("starting Redis, the simulated models, the workers and Flower")
    stack.start()
    try:
        with closing(Store(stack.settings.store_url)) as store:
            if stack.options.api:
                key = new_page_key(store, files.page_key)
                observer.notify(f"page: {stack.page_url}, while the demo runs (log in with the key {key})")
            # The workers load while this process trains; they open the router at the first chunk.
            router = _train(stack.settings, files, observer)
            # An earlier demo in this home may have left another champion.
            promotion.promote(store, stack.settings, promotion.register(store, files.router, source="demo"))
            outcome = _answer_batch(store, stack, router, requests, observer)
            batch_id = outcome.report.progress.batch_id
            loop = _run_loop(store, stack, batch_id, judged, observer) if judged else None
            return replace(outcome, loop=loop)
    finally:
        observer.notify("stopping the stack")
        stack.stop()


def _train(settings: Settings, files: DemoFiles, observer: DemoObserver) -> Router:
    observer.notify("training a router on the demo's labelled prompts")
    router = train_router(
        settings, list(read_labelled(LABELLED_PATH)), files.router, notify=_indented(observer.notify)
    )
    observer.notify(
        f"  training chose tau {router.hyperparameters.tau:g}; the demo sets {TAU:g}, so that the pairwise "
        "classifier decides where two predictions are as close as that"
    )
    return router


def _answer_batch(
    store: Store, stack: Stack, router: Router, requests: int, observer: DemoObserver
) -> DemoOutcome:
    """Write and submit the batch, wait for its end, and write its results."""
    files = DemoFiles(home=stack.settings.home)
    batch = write_demo_batch(files.batch, requests)
    batch_id = _submit(store, stack.settings, files, observer)
    observer.follow(store, batch_id, stack.poll)
    return _outcome(store, stack.settings, batch_id, batch, router)


def _indented(notify: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: notify(f"  {text}")


def _settings(files: DemoFiles) -> Settings:
    """Write the demo's settings, and make them those of this process and of its children."""
    make_folder(files.home)
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
        options=options_for(settings),
        on_error=observer.on_bad_line,
    )


def _outcome(
    store: Store, settings: Settings, batch_id: str, batch: DemoBatch, router: Router
) -> DemoOutcome:
    files = DemoFiles(home=settings.home)
    tokens = _TokenCounter()
    records = tokens.count(results.iter_results(store, batch_id))
    write_results(records, files.results, format=ResultFormat.OPENAI, errors=files.errors)
    report = read_report(store, batch_id)
    return DemoOutcome(
        files=files,
        report=report,
        database=settings.store_url.removeprefix("sqlite:///"),
        router_version=router.version,
        best_single=router.best_single,
        cost=report.progress.spent / MICROS_PER_DOLLAR,
        best_single_cost=tokens.cost(settings, router.best_single),
        expected_bad_lines=batch.bad,
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
    """The number of tokens in the answers that were paid for."""

    def __init__(self) -> None:
        self._prompt = self._completion = 0

    def count(self, records: Iterable[ResultRecord]) -> Iterator[ResultRecord]:
        """Yield the records unchanged and add up their tokens."""
        for record in records:
            if record.body is not None and record.waybill["duplicate_of"] is None:
                usage = record.body.get("usage", {})
                self._prompt += usage.get("prompt_tokens", 0)
                self._completion += usage.get("completion_tokens", 0)
            yield record

    def cost(self, settings: Settings, name: str) -> float:
        """Return the dollars for these tokens at the prices of one model."""
        price = settings.model(name).price
        spent = self._prompt * price.input_per_million + self._completion * price.output_per_million
        return spent / MICROS_PER_DOLLAR
