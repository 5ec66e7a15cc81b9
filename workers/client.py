"""The Python API: submit prompts, wait for the batch, read the answers.

>>> from waybill import Waybill
>>> batch = Waybill().submit(["What is 2 + 2?", "Name a prime."], budget=1.00)
>>> batch.wait()
>>> batch.to_pandas()

Workers do the work: `waybill up` starts them here, `waybill worker` on other machines. `AsyncWaybill`
(`workers.async_client`) has the same methods for `await`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from router_core.policy.preferences import Policy
from tasks.errors import UsageError
from tasks.formats.determinism import Dedupe
from tasks.formats.requests import InputError
from tasks.settings import Settings
from tasks.store.batch_progress import Progress
from tasks.submission.estimate_values import Estimate
from workers.backends.opening import backend_of
from workers.bad_rows import BadRows
from workers.batch import Batch
from workers.prompts import Prompts
from workers.submit_options import Column, SubmitOptions, submission_of


class Waybill:
    """A connection to batches: to the store that the settings name, or to an API server."""

    def __init__(
        self, config: Path | str | None = None, *, url: str | None = None, key: str | None = None
    ) -> None:
        """Read the settings and open their store; with `url`, speak to an API server instead.

        Args:
            config: The settings file; without it the one that the command would read: `$WAYBILL_CONFIG`,
                else `./waybill.toml`. `WAYBILL_*` in the environment take precedence.
            url: The address of an API server (`waybill api`), such as `http://127.0.0.1:8080`.
            key: A key of that server (`waybill keys create NAME`).

        Raises:
            SettingsError: The settings are wrong, or the store cannot be opened.
            UsageError: A URL without a key, a key without a URL, or a URL and a settings file.
        """
        self._backend = backend_of(config, url, key)

    @property
    def settings(self) -> Settings:
        """The settings.

        Raises:
            UsageError: They are those of the API server.
        """
        from workers.backends.store import StoreBackend

        if isinstance(self._backend, StoreBackend):
            return self._backend.settings
        raise UsageError("the settings are those of the API server")

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
        policy: Policy | None = None,
        quality_floor: float | None = None,
        cost_weight: float | None = None,
        budget_per_1000: float | None = None,
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
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        prompt_column: Column | None = None,
        id_column: Column | None = None,
        system_column: Column | None = None,
        param_columns: Sequence[Column] | str | None = None,
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
            policy: How a router chooses: "saving" (the cheapest model that is good enough), "quality",
                "weighted", "budget" or "cargo"; None is that of the settings, or the one that the numbers
                below belong to.
            quality_floor: How much predicted quality a saving may cost, in units of the scores.
            cost_weight: For "weighted": the share of the scores' range that cost may outweigh.
            budget_per_1000: For "budget": dollars to spend on a thousand prompts, beside `budget`.
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
                given again from the start, read in the same way. Its own options hold: no others go with it.
            on_error: Called with each bad line; `Batch.input_errors` returns them later.
            system: The system message of prompts that bring none.
            temperature: The temperature of prompts that set none.
            max_tokens: The most tokens of an answer, for prompts that set no limit.
            prompt_column: The column or key that holds the prompt, or a list of messages; as other columns a
                text, a number or a tuple, as the table calls it.
            id_column: The one that holds the id; by default `id` or `custom_id`.
            system_column: The one that holds the system message; by default `system`.
            param_columns: Those that are parameters (`temperature`, `model` …); by default all that are
                called like one; an empty list, or "none", for none.
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
            UsageError: There is no valid request, a model is not in the settings, a line is bad under
                strict, or the batch to resume holds other prompts.
            FormatError: The file cannot be read.
            ServerError: The API server cannot be reached, or fails.

        At a store, any exception after the first lines were stored, such as Ctrl-C's, has their batch in its
        note and as its attribute `batch_id`; `resume`, `Batch.resume` and `Batch.cancel` say what becomes of
        it. The first 500 lines are stored together: before, there is no batch.
        """
        options = SubmitOptions(
            name=name, models=models, budget=budget, route_only=route_only, dedupe=dedupe, reuse=reuse,
            reuse_any=reuse_any, policy=policy, quality_floor=quality_floor, cost_weight=cost_weight,
            budget_per_1000=budget_per_1000, fallback=fallback, strict=strict, explore=explore,
            validate=validate, validators=validators, strict_params=strict_params, priority=priority,
            stream=stream, resume=resume, system=system, temperature=temperature, max_tokens=max_tokens,
            prompt_column=prompt_column, id_column=id_column, system_column=system_column,
            param_columns=param_columns, template=template, shape=shape, endpoint=endpoint,
        )  # fmt: skip
        submission = submission_of(prompts, options)
        bad = BadRows(on_error)
        batch_id = self._backend.submit(submission, bad.add)
        bad.warn()
        return Batch(self._backend, batch_id)

    def estimate(
        self,
        prompts: Prompts,
        *,
        on_error: Callable[[InputError], None] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Estimate:
        """Return what a batch of these prompts would cost: nothing is called, and no batch is made.

        At an API server the prompts are uploaded, and deleted again.

        Args:
            prompts: What `submit` takes.
            on_error: Called with each bad line; the estimate has the first of them.
            options: Those of `submit`.

        Warns:
            UserWarning: Columns and keys that are not read, or are sent as parameters, and the like.

        Raises:
            ConfigurationError: The router cannot be read, or its embedder is not there.
            Exception: What `submit` raises: for prompts and options that it refuses.
        """
        return self._backend.estimate(submission_of(prompts, options), on_error or (lambda _: None))

    def batch(self, batch_id: str | None = None) -> Batch:
        """Return the batch whose id begins so (at an API server: is so) or that is named so, or the newest.

        Args:
            batch_id: Its id, the beginning of one, or the `name` it was submitted with; None is the newest.

        Raises:
            UnknownBatch: There is none.
            UsageError: It means several batches; the message lists their ids.
        """
        return Batch(self._backend, self._backend.find(batch_id))

    def batches(self, *, limit: int = 20) -> list[Progress]:
        """Return the progress of the newest batches, newest first."""
        return self._backend.newest(limit)

    def close(self) -> None:
        """Close the connections; leaving a `with` block does it, too."""
        self._backend.close()

    def __repr__(self) -> str:
        return f"Waybill({self._backend.place!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
