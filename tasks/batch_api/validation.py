"""The validation of a batch's file, and the storing of its requests; another process can go on with both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from tasks.batch_api.errors import ApiError
from tasks.batch_api.lines import (
    Error,
    InvalidFile,
    StorageFails,
    error_of,
    of_endpoint,
    of_file,
    read_through,
    readable,
)
from tasks.batch_api.options import ApiOptions, api_options, batch_options
from tasks.batch_api.worst_case import WorstCase
from tasks.errors import NotResumed, StaleWork, UnknownBatch, UsageError
from tasks.files.storage import FileStorage
from tasks.formats.inputs.options import InputFormat, InputOptions
from tasks.formats.requests import InputError, InputLimits
from tasks.settings import Settings
from tasks.store import batches, control
from tasks.store.api import files, keys, validations
from tasks.store.api.keys import Key
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.renewal import renewed
from tasks.submission import submit
from tasks.submission.source import BatchInput, Item, from_files

logger = logging.getLogger(__name__)

#: the most bad lines that a failed batch names
MAX_ERRORS = 1_000
#: how often the validation of a batch is tried, where the process dies or fails at it
MAX_TRIES = 5
#: seconds until a file is read again that could not be read, four times as many after each try
_FIRST_WAIT_S, _FACTOR = 15.0, 4
_READ_OTHERWISE = "the lines of the file are not those that were stored before: create the batch again"


@dataclass(frozen=True, slots=True)
class Validator:
    """Validates batches and stores their requests; several processes and threads may do so at once."""

    store: Store
    settings: Settings
    storage: FileStorage

    def take_one(self, *, max_bytes: int | None = None) -> bool:
        """Validate the batch that has waited longest, and store its requests; False if none waits.

        Args:
            max_bytes: Only a batch whose file is at most this large.
        """
        with self.store.read() as connection:  # an idle process must not take SQLite's write lock
            if not validations.waits(connection):
                return False
        lease_s = self.settings.api.lease_s
        with self.store.write() as connection:
            row = validations.claim(connection, lease_s=lease_s, max_bytes=max_bytes)
        if row is None:
            return False

        def renew(connection: Connection) -> None:
            validations.renew(connection, row["id"], row["fence"], lease_s=lease_s)

        with renewed(self.store, renew, lease_s, warn=_warn):
            self._validate(row)
        return True

    def _validate(self, row: RowMapping) -> None:
        try:
            stored = self._stored(row["id"])
            if (
                stored is None or stored["status"] == "ingesting"
            ):  # else all of it is stored, or it was cancelled
                self._submit(row, stored)
            with self.store.write() as connection:
                validations.set_running(connection, row["id"], row["fence"])
        except InvalidFile as invalid:
            self._fail(row, invalid.errors)
        except StorageFails:
            self._postpone(row)
        except (StaleWork, IntegrityError):
            logger.info("%s is validated by another process, or cancelled", row["id"])

    def _submit(self, row: RowMapping, stored: RowMapping | None) -> None:
        if row["fence"] > MAX_TRIES:
            raise InvalidFile(error_of("internal_error", "the file could not be validated"))
        key, file = self._key_and_file(row)
        options = api_options(row["pairs"] or {}, row["completion_window"])
        chosen = self._options(key, options)
        worst = WorstCase(self.settings, chosen)
        lines = self._lines(row, file, key)
        errors: list[Error] = []
        if options.partial and stored is None:
            read_through(lines)
        # A budget that the batch did not ask for is all that its key had left.
        is_all = options.budget is None and row["budget"] is not None and not chosen.explore
        try:
            submit.submit(
                self.store,
                BatchInput(lambda: worst.over(lines)) if is_all else lines,
                source=file["filename"],
                options=chosen,
                budget=row["budget"],
                strict=not options.partial and stored is None,
                resume=None if stored is None else row["id"],
                batch_id=row["id"],
                owner=row["owner"],
                on_error=_collector(errors),
                on_create=lambda connection: _begin(connection, row),
            )
        except InvalidFile as broken:  # its file, after bad lines maybe
            raise InvalidFile(*([] if options.partial else errors), *broken.errors) from None
        except UsageError as error:
            if isinstance(error, NotResumed):
                raise InvalidFile(of_file(_READ_OTHERWISE)) from None
            if self._stored(row["id"]) is None:  # else it was cancelled meanwhile
                raise InvalidFile(*(errors or [of_file(str(error))])) from None
        if is_all:
            with self.store.write() as connection:
                validations.lower_budget(connection, row["id"], worst.micros)

    def _stored(self, batch_id: str) -> RowMapping | None:
        with self.store.read() as connection:
            try:
                return batches.find(connection, batch_id)
            except UnknownBatch:
                return None

    def _key_and_file(self, row: RowMapping) -> tuple[Key, RowMapping]:
        with self.store.read() as connection:
            file = files.find(connection, row["owner"], row["input_file_id"])
            key = keys.find(connection, row["owner"])
        if file is None:
            raise InvalidFile(error_of("file_not_found", "the input file was deleted", param="input_file_id"))
        return key, file

    def _options(self, key: Key, options: ApiOptions) -> BatchOptions:
        try:
            return batch_options(self.settings, key, options)
        except ApiError as error:
            raise InvalidFile(error_of(error.code, error.message, param=error.param)) from None

    def _lines(self, row: RowMapping, file: RowMapping, key: Key) -> Iterable[Item]:
        lines = from_files(
            [self.storage.location(file["stored_as"])],
            self.settings,
            models=key.models or (),
            of_key=bool(key.models),
            limits=self._limits,
            options=InputOptions(format=InputFormat.JSONL, endpoint=row["endpoint"]),
        )
        return BatchInput(lambda: of_endpoint(readable(lines), row["endpoint"]))

    @property
    def _limits(self) -> InputLimits:
        """What a file may hold: what could be uploaded, however well it was compressed."""
        api = self.settings.api
        return InputLimits(max_file_bytes=int(max(api.max_upload_mb, api.max_file_mb) * 2**20))

    def _fail(self, row: RowMapping, errors: list[Error]) -> None:
        """End a batch; one of which requests are stored keeps what was answered, and sends no more."""
        is_stored = self._stored(row["id"]) is not None
        with self.store.write() as connection:
            end = validations.break_off if is_stored else validations.fail
            if end(connection, row["id"], row["fence"], errors) and is_stored:
                control.cancel(connection, row["id"])
        logger.info("%s is not valid: %d errors", row["id"], len(errors))

    def _postpone(self, row: RowMapping) -> None:
        """Let the file be read later, by another process maybe."""
        wait_s = _FIRST_WAIT_S * _FACTOR ** (row["fence"] - 1)
        with self.store.write() as connection:
            validations.renew(connection, row["id"], row["fence"], lease_s=wait_s)
        logger.warning("%s waits: its file cannot be read now", row["id"])


def _begin(connection: Connection, row: RowMapping) -> None:
    if not validations.set_in_progress(connection, row["id"], row["fence"]):
        raise StaleWork(f"{row['id']} was cancelled, or is another process's")


def _warn(error: str) -> None:
    logger.warning("a lease waits: %s", error)


def _collector(errors: list[Error]) -> Callable[[InputError], None]:
    def collect(error: InputError) -> None:
        if len(errors) < MAX_ERRORS:
            errors.append(error_of(error.code, error.reason, line=error.line))

    return collect
