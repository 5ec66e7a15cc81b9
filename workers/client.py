"""The Python API: submit prompts, wait for the batch, read the answers.

>>> from waybill import Waybill
>>> batch = Waybill().submit(["What is 2 + 2?", "Name a prime."], budget=1.00)
>>> batch.wait()
>>> batch.to_pandas()

Workers do the work: `waybill up` starts them here, `waybill worker` on other machines.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tasks.errors import UsageError
from tasks.formats.determinism import Dedupe
from tasks.formats.errors import OptionsError
from tasks.formats.inputs.options import input_options
from tasks.formats.requests import InputError
from tasks.money.budgets import budget_of
from tasks.private_home import secure
from tasks.settings import Settings, load_settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.progress import Progress, list_batches, snapshot
from tasks.store.schema import ensure_schema
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import Item
from tasks.submission.submit import SubmissionProgress
from workers.arguments import in_python, names_of
from workers.bad_rows import BadRows
from workers.batch import Batch
from workers.prompts import Prompts, lines_of


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
        secure(self.settings.home)
        self._store = Store(self.settings.store_url)
        ensure_schema(self._store)

    def submit(
        self,
        prompts: Prompts,
        *,
        name: str | None = None,
        models: Sequence[str] | str = (),
        budget: float | None = None,
        route_only: bool = False,
        dedupe: bool | Dedupe | None = None,
        reuse: str | timedelta | None = None,
        reuse_any: bool = False,
        fallback: bool = True,
        strict: bool = False,
        explore: float = 0.0,
        validate: str | None = None,
        validators: Sequence[str] | str = (),
        strict_params: bool = False,
        priority: str = "normal",
        stream: bool = False,
        resume: Batch | str | None = None,
        on_error: Callable[[InputError], None] | None = None,
        prompt_column: str | None = None,
        id_column: str | None = None,
        system_column: str | None = None,
        param_columns: Sequence[str] | str | None = None,
        template: str | None = None,
        shape: str | None = None,
        endpoint: str | None = None,
    ) -> Batch:
        """Submit prompts and return their batch.

        Args:
            prompts: Texts, lists of messages, or dicts like the lines of a JSONL file; a table (a data frame
                of pandas or Polars, an Arrow table, a Hugging Face dataset, a dict of columns) with a column
                `prompt` or `messages`; or the path or URL of a batch file, or a list of paths. They are read
                as a stream.
            name: What `waybill status` and the page call the batch.
            models: Candidate models; empty means all of the settings.
            budget: Dollars that the batch never exceeds, more than 0; None is no limit.
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
            priority: Its share of workers and models beside other batches: "low", "normal" or "high" (1, 4 or
                16 parts).
            stream: Begin while the prompts are still being read. Otherwise nothing is called, and nothing
                paid, before all of them are stored.
            resume: A batch whose submission was interrupted: it gets the rest of the same prompts, which are
                given again from the start. Its own options hold.
            on_error: Called with each bad line; `Batch.input_errors` returns them later.
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
            UserWarning: Bad lines, with their number and the first reasons, unless `on_error` gets them;
                columns and keys that are not read, or are sent as parameters, and the like.

        Raises:
            TypeError: What is given yields no prompts: one text, one request, bytes, a set, an open file.
            OptionsError: No column of a table holds the prompt, or the options contradict each other.
            UsageError: There is no valid request, a model is not in the settings, or a line is bad under
                strict.
            FormatError: The file cannot be read.

        Any exception after the first lines were stored, such as Ctrl-C's, has their batch in its note and as
        its attribute `batch_id`; `resume`, `Batch.resume` and `Batch.cancel` say what becomes of it.
        """
        models, validators = names_of("models", models), names_of("validators", validators)
        options = input_options(
            prompt_column=prompt_column,
            id_column=id_column,
            system_column=system_column,
            param_columns=None if param_columns is None else names_of("param_columns", param_columns),
            template=template,
            shape=shape,
            endpoint=endpoint,
            models=models,
        )
        items, source = lines_of(prompts, self.settings, options)
        chosen = options_for(
            self.settings,
            name=name,
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
            priority=priority,
        )
        bad = BadRows(on_error)
        batch_id = self._send(
            items,
            source=source,
            options=replace(chosen, hold=not stream),
            budget=budget_of(budget),
            strict=strict,
            resume=resume.id if isinstance(resume, Batch) else resume,
            on_error=bad.add,
            on_progress=_first_id_shown(),
        )
        bad.warn()
        return Batch(self._store, batch_id)

    def _send(self, items: Iterable[Item], **options: Any) -> str:
        """Store the lines; errors of the input name arguments, not the command's options."""
        try:
            return submit.submit(self._store, items, **options)
        except OptionsError as error:
            raise OptionsError(in_python(str(error))) from None
        except UsageError as error:
            raise type(error)(in_python(str(error))) from None

    def batch(self, batch_id: str | None = None) -> Batch:
        """Return the batch whose id begins so, without an id the newest.

        Raises:
            UnknownBatch: There is none.
            UsageError: Several ids begin so.
        """
        with self._store.read() as connection:
            if batch_id is not None:
                return Batch(self._store, batches.full_id(connection, batch_id))
            return Batch(self._store, snapshot(connection).batch_id)

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


def _first_id_shown() -> Callable[[SubmissionProgress], None]:
    """Return what prints the id of a batch on stderr once its first lines are stored and more may come."""
    told = False

    def progressed(state: SubmissionProgress) -> None:
        nonlocal told
        if not told and state.lines >= submit.FIRST_LINES:
            told = True
            print(f"{state.batch_id}: the prompts are being stored", file=sys.stderr, flush=True)

    return progressed
