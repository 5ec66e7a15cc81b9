"""The Python API: submit prompts, wait for the batch, read the answers.

>>> from waybill import Waybill
>>> batch = Waybill().submit(["What is 2 + 2?", "Name a prime."], budget=1.00)
>>> batch.wait()
>>> batch.to_pandas()

Workers do the work: `waybill up` starts them here, `waybill worker` on other machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from router_core.pricing import micro_usd
from tasks.formats.determinism import Dedupe
from tasks.formats.inputs.options import input_options
from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.settings import Settings, load_settings
from tasks.store import control, deletion, results
from tasks.store.engine import Store
from tasks.store.progress import Progress, Rate, list_batches, snapshot
from tasks.store.schema import ensure_schema
from tasks.submission import submit
from workers.errors import MissingPartError
from workers.prompts import Prompts, lines_of

if TYPE_CHECKING:
    import pandas
    from rich.console import Console

POLL_S = 0.25


class Waybill:
    """A connection to the store that the settings name: it submits batches and finds them."""

    def __init__(self, config: Path | str | None = None) -> None:
        """Read the settings and open their store.

        Args:
            config: The settings file; without it the one that the command would read: `$WAYBILL_CONFIG`,
                else `./waybill.toml`. `WAYBILL_*` in the environment take precedence.

        Raises:
            SettingsError: The settings are wrong, or the store cannot be opened.
        """
        self.settings: Settings = load_settings(None if config is None else Path(config))
        self._store = Store(self.settings.store_url)
        ensure_schema(self._store)

    def submit(
        self,
        prompts: Prompts,
        *,
        models: Sequence[str] = (),
        budget: float | None = None,
        route_only: bool = False,
        dedupe: bool | Dedupe | None = None,
        reuse: str | timedelta | None = None,
        reuse_any: bool = False,
        fallback: bool = True,
        strict: bool = False,
        explore: float = 0.0,
        validate: str | None = None,
        validators: Sequence[str] = (),
        strict_params: bool = False,
        on_error: Callable[[InputError], None] | None = None,
        prompt_column: str | None = None,
        id_column: str | None = None,
        system_column: str | None = None,
        param_columns: Sequence[str] | None = None,
        template: str | None = None,
        shape: str | None = None,
        endpoint: str | None = None,
    ) -> Batch:
        """Submit prompts and return their batch.

        Args:
            prompts: Texts, or dicts like the lines of a JSONL file; a table (a data frame of pandas or
                Polars, an Arrow table, a Hugging Face dataset) with a column `prompt` or `messages`; or the
                path or URL of a batch file, or a list of paths. They are read as a stream.
            models: Candidate models; empty means all of the settings.
            budget: Dollars that the batch never exceeds.
            route_only: Choose a model for each prompt, and call none.
            dedupe: Which equal requests are answered by one call: "all", "deterministic" (temperature 0, or a
                seed) or "off"; by default what the settings say.
            reuse: How old the answer of an earlier batch to an equal request of the same model may be to be
                taken in place of a call: "30d", "12h" or a timedelta. Only deterministic requests
                (temperature 0, or a seed) are answered so, unless `reuse_any`.
            reuse_any: Take answers that were drawn at random as well.
            fallback: Let another model answer where the chosen one cannot.
            strict: Refuse the whole input if a line is bad. Otherwise bad lines are kept with their reason.
            explore: Share of the prompts, 0 to 1, whose model is drawn at random; the other candidates
                answer these prompts as well.
            validate: What becomes of an answer that does not fit the schema of its request or a validator:
                "off" checks nothing, "flag" keeps it, "retry" asks again; None takes that of the settings.
            validators: What every answer must pass: `regex:PATTERN`, `json` or `python-syntax`.
            strict_params: Send a request only to models that take all of its parameters. Otherwise what
                a model does not take is left out, and named in the results (`waybill.dropped`).
            on_error: Called with each bad line.
            prompt_column: The column or key that holds the prompt, or a list of messages.
            id_column: The one that holds the id; by default `id` or `custom_id`.
            system_column: The one that holds the system message; by default `system`.
            param_columns: Those that are parameters (`temperature`, `model` …); by default all that are
                called like one.
            template: The prompt, with placeholders for columns or keys: `Translate: {text}`.
            shape: The known layout of the lines: `alpaca`, `sharegpt`, `mt-bench`, `fine-tuning`,
                `anthropic` or `gemini`.
            endpoint: What texts and plain lines are for, such as `/v1/embeddings`; by default
                `/v1/chat/completions`. Embeddings are not routed: each line names a model, or `models` the
                only one.

        Warns:
            UserWarning: Columns that are not read, or are sent as parameters, and the like.

        Raises:
            OptionsError: No column of a table holds the prompt, or the options contradict each other.
            UsageError: There is no valid request, a model is not in the settings, or a line is bad under
                strict.
            FormatError: The file cannot be read.
        """
        options = input_options(
            prompt_column=prompt_column,
            id_column=id_column,
            system_column=system_column,
            param_columns=param_columns,
            template=template,
            shape=shape,
            endpoint=endpoint,
            models=models,
        )
        items, source = lines_of(prompts, self.settings, options)
        batch_id = submit.submit(
            self._store,
            items,
            source=source,
            options=submit.options_for(
                self.settings,
                models=models,
                route_only=route_only,
                dedupe=dedupe,
                reuse=reuse,
                reuse_any=reuse_any,
                fallback=fallback,
                explore=explore,
                validate=validate,
                validators=validators,
                strict_params=strict_params,
            ),
            budget=micro_usd(budget),
            strict=strict,
            on_error=on_error,
        )
        return Batch(self._store, batch_id)

    def batch(self, batch_id: str | None = None) -> Batch:
        """Return the batch with this id, without an id the newest; raises UnknownBatch."""
        with self._store.read() as connection:
            return Batch(self._store, snapshot(connection, batch_id).batch_id)

    def batches(self, *, limit: int = 20) -> list[Progress]:
        """Return the progress of the newest batches, newest first."""
        with self._store.read() as connection:
            return list_batches(connection, limit=limit)

    def close(self) -> None:
        """Close the connections to the store; leaving a `with` block does it, too."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Batch:
    """A submitted batch."""

    def __init__(self, store: Store, batch_id: str) -> None:
        self._store = store
        self.id = batch_id

    def status(self) -> Progress:
        """Return the progress at this moment."""
        with self._store.read() as connection:
            return snapshot(connection, self.id)

    def wait(self, *, progress: bool = True, timeout: float | None = None) -> Progress:
        """Wait until the batch has ended, and return its last progress.

        Args:
            progress: Draw the progress; in a terminal or a notebook only.
            timeout: Seconds to wait; None waits as long as it takes.

        Raises:
            TimeoutError: The batch has not ended in time. It goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with _progress_display(progress) as show:
            first = state = self.status()
            while not state.finished:
                show(state, Rate.between(first, state))
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"{self.id} is {state.status}: {state.done} of {state.total} done")
                time.sleep(POLL_S)
                state = self.status()
            show(state, Rate.between(first, state))
        return state

    def results(self) -> Iterator[ResultRecord]:
        """Yield a record for each request that has ended, in input order, then for each bad line.

        Records are read in pages, so that memory stays flat.
        """
        return results.iter_results(self._store, self.id)

    def to_pandas(self) -> pandas.DataFrame:
        """Return the results as a data frame: a row for each line of the input, in flat columns.

        Raises:
            MissingPartError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingPartError("to_pandas needs pandas: pip install 'waybill[notebook]'") from None
        return pandas.DataFrame([flat_row(record) for record in self.results()], columns=list(COLUMNS))

    def cancel(self) -> int:
        """Cancel the batch and return the number of requests cancelled; calls in flight end and are kept."""
        with self._store.write() as connection:
            return control.cancel(connection, self.id)

    def retry(self, *, budget: float | None = None) -> int:
        """Send again what failed or was cancelled, and return the number of these requests.

        Args:
            budget: A new limit in dollars for all that the batch ever spends; None keeps the old one.

        Raises:
            UsageError: The batch still runs, is a run of judges, or has a model without the price that a
                budget needs.
        """
        with self._store.write() as connection:
            return control.retry(connection, self.id, budget=micro_usd(budget))

    def delete_data(self) -> None:
        """Delete the batch's prompts and answers; its counts and costs stay.

        Raises:
            UsageError: The batch still runs, or judges are comparing its answers.
        """
        with self._store.write() as connection:
            numbers = deletion.mark(connection, self.id)
        for number in numbers:
            deletion.clear(self._store, number)

    def __repr__(self) -> str:
        return f"Batch({self.id!r})"


_Show = Callable[[Progress, Rate], None]


def _progress_display(wanted: bool) -> AbstractContextManager[_Show]:
    """Return what shows progress: a live view in a terminal or a notebook, nothing elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    return _live_display(console) if wanted and (console.is_terminal or console.is_jupyter) else _no_display()


@contextmanager
def _no_display() -> Iterator[_Show]:
    yield lambda state, rate: None


@contextmanager
def _live_display(console: Console) -> Iterator[_Show]:
    from rich.live import Live

    from workers.views.live import live_view

    with Live(console=console, refresh_per_second=8) as live:
        yield lambda state, rate: live.update(live_view(state, rate))
