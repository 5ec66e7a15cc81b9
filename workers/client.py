"""Waybill from Python: submit prompts, wait for them, read the answers.

>>> from waybill import Waybill
>>> batch = Waybill().submit(["What is 2 + 2?", "Name a prime."], budget=1.00)
>>> batch.wait()
>>> batch.to_pandas()

Workers do the work: start them with `waybill up`, or on other machines with `waybill worker`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from router_core.pricing import micro_usd
from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.settings import Settings, load_settings
from tasks.store import control, results
from tasks.store.engine import Store
from tasks.store.progress import Progress, Rate, list_batches, snapshot
from tasks.store.schema import ensure_schema
from tasks.submission import submit
from tasks.submission.source import Item, from_file, from_items
from workers.errors import MissingPartError

if TYPE_CHECKING:
    import pandas

POLL_S = 0.25


class Waybill:
    """The store that the settings name; batches are submitted to it and found in it."""

    def __init__(self, config: Path | str | None = None) -> None:
        """Read `config`, or the `waybill.toml` and the `WAYBILL_*` that the command would read.

        Raises:
            SettingsError: The settings are wrong, or the store cannot be opened.
        """
        self.settings: Settings = load_settings(None if config is None else Path(config))
        self._store = Store(self.settings.store_url)
        ensure_schema(self._store)

    def submit(
        self,
        prompts: Iterable[str | dict[str, Any]] | Path,
        *,
        models: Sequence[str] = (),
        budget: float | None = None,
        route_only: bool = False,
        dedupe: bool = True,
        fallback: bool = True,
        strict: bool = False,
        explore: float = 0.0,
        on_error: Callable[[InputError], None] | None = None,
    ) -> Batch:
        """Submit prompts (texts, or dicts like a line of a JSONL file) or a batch file, and return the batch.

        models: choose among these only. budget: dollars that are never passed. route_only: decide, and call
        no model. fallback: another model may answer where the chosen one cannot. strict: refuse everything if
        a line is bad; else bad lines go to `on_error` and are kept. explore: draw the model of this share,
        and let the other candidates answer it as well.

        Raises:
            UsageError: There is no valid request, a model is not in the settings, or a line is bad under
                strict.
            FormatError: The file cannot be read.
        """
        items, source = _input(prompts, self.settings)
        batch_id = submit.submit(
            self._store,
            items,
            source=source,
            options=submit.options_for(
                self.settings,
                models=models,
                route_only=route_only,
                dedupe=dedupe,
                fallback=fallback,
                explore=explore,
            ),
            budget=micro_usd(budget),
            strict=strict,
            on_error=on_error,
        )
        return Batch(self._store, batch_id)

    def batch(self, batch_id: str | None = None) -> Batch:
        """Return the batch with this id, or the newest; raises UnknownBatch."""
        with self._store.read() as connection:
            return Batch(self._store, snapshot(connection, batch_id).batch_id)

    def batches(self, *, limit: int = 20) -> list[Progress]:
        """Return how the newest batches stand, newest first."""
        with self._store.read() as connection:
            return list_batches(connection, limit=limit)

    def close(self) -> None:
        """Close the connections to the store."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Batch:
    """A submitted batch, wherever it is worked on."""

    def __init__(self, store: Store, batch_id: str) -> None:
        self._store = store
        self.id = batch_id

    def status(self) -> Progress:
        """Return how it stands now."""
        with self._store.read() as connection:
            return snapshot(connection, self.id)

    def wait(self, *, progress: bool = True, timeout: float | None = None) -> Progress:
        """Return how the batch ended, once it has; progress is drawn in a terminal or a notebook only.

        Raises:
            TimeoutError: It has not ended after `timeout` seconds. It goes on all the same.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with _drawing(progress) as draw:
            first = state = self.status()
            while not state.finished:
                draw(state, Rate.between(first, state))
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"{self.id} is {state.status}: {state.done} of {state.total} done")
                time.sleep(POLL_S)
                state = self.status()
            draw(state, Rate.between(first, state))
        return state

    def results(self) -> Iterator[ResultRecord]:
        """Return each request that has ended, in input order, then each bad line; memory holds a page of them."""
        return results.iter_results(self._store, self.id)

    def to_pandas(self) -> pandas.DataFrame:
        """Return the results as a data frame of flat columns, a row for each line.

        Raises:
            MissingPartError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingPartError("to_pandas needs pandas: pip install 'waybill[notebook]'") from None
        return pandas.DataFrame([flat_row(record) for record in self.results()], columns=list(COLUMNS))

    def cancel(self) -> int:
        """Stop it; calls in flight end and are kept. Returns how many requests were cancelled."""
        with self._store.write() as connection:
            return control.cancel(connection, self.id)

    def retry(self, *, budget: float | None = None) -> int:
        """Send again what failed, under a new cap (dollars) if one is given; returns how many requests.

        Raises:
            UsageError: It still runs.
        """
        with self._store.write() as connection:
            return control.retry(connection, self.id, budget=micro_usd(budget))

    def __repr__(self) -> str:
        return f"Batch({self.id!r})"


def _input(prompts: Iterable[str | dict[str, Any]] | Path, settings: Settings) -> tuple[Iterable[Item], str]:
    """Return the lines to submit, and what to call their source."""
    if isinstance(prompts, str):
        raise TypeError("prompts is one text: give a list of prompts, or a pathlib.Path to a file")
    if isinstance(prompts, Path):
        return from_file(prompts, settings), str(prompts.absolute())
    return from_items(prompts, settings), "python"


_Draw = Callable[[Progress, Rate], None]


def _drawing(wanted: bool) -> AbstractContextManager[_Draw]:
    from rich.console import Console

    console = Console(stderr=True)
    return _live(console) if wanted and (console.is_terminal or console.is_jupyter) else _quiet()


@contextmanager
def _quiet() -> Iterator[_Draw]:
    yield lambda state, rate: None


@contextmanager
def _live(console: Any) -> Iterator[_Draw]:
    from rich.live import Live

    from workers.views.live import live_view

    with Live(console=console, refresh_per_second=8) as live:
        yield lambda state, rate: live.update(live_view(state, rate))
