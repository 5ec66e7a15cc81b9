"""`waybill data`: the deletion of prompts and answers."""

from __future__ import annotations

from workers.cli.batch_ids import BatchId, full_id
from workers.cli.help import Commands
from workers.cli.output import info
from workers.cli.store_context import open_store

app = Commands(no_args_is_help=True, help="Prompts and answers in the store: deletion.")


@app.callback()
def data() -> None:
    """Keep `delete` a command of its own."""


@app.command("delete")
def delete(batch: BatchId) -> None:
    """Delete the prompts and answers of a finished batch; its counts and costs stay."""
    from tasks.store import batches, deletion

    with open_store() as (_, store):
        batch = full_id(store, batch)
        with store.write() as connection:
            numbers = deletion.mark(connection, batch)
            is_archived = batches.find(connection, batch)["archived_at"] is not None
        for number in numbers:
            deletion.clear(store, number)
    copies = len(numbers) - 1
    with_copies = f", and those of {copies} batches of exploration and collection" if copies else ""
    info(f"{batch}: its prompts and answers are deleted{with_copies}")
    if is_archived:
        info(f"{batch}: it is archived; delete the folder of its archive, which holds them, too")
