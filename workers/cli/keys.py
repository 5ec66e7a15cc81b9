"""`waybill keys`: the keys that open the API server."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.help import Commands
from workers.cli.output import info, show, write, write_json
from workers.cli.processes import split_names
from workers.cli.spending import spending
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.store.api.keys import Key

app = Commands(
    no_args_is_help=True,
    help="Keys of the API server: create, update, list, revoke, rotate; what they spend and who did what.",
)

_Name = Annotated[str, typer.Argument(help="The name of the key, or its id.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_BudgetDay = Annotated[
    float | None, typer.Option(min=0, metavar="USD", help="What its batches of one day (UTC) may cost.")
]
_BudgetMonth = Annotated[
    float | None, typer.Option(min=0, metavar="USD", help="What its batches of one month may cost.")
]
_Models = Annotated[str, typer.Option(metavar="A,B", help="It may use these models only.")]
_Rpm = Annotated[int | None, typer.Option(min=1, metavar="N", help="Requests to the API per minute.")]
_ConcurrentBatches = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Batches that may be unfinished at once.")
]
_PRIORITY = typer.Option(metavar="CLASS", help="Of its batches: low, normal or high.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What people call its owner.")],
    budget_day: _BudgetDay = None,
    budget_month: _BudgetMonth = None,
    models: _Models = "",
    rpm: _Rpm = None,
    concurrent_batches: _ConcurrentBatches = None,
    priority: Annotated[str, _PRIORITY] = "normal",
    operator: Annotated[
        bool, typer.Option("--operator", help="Its page shows all keys' counts, the routers and operations.")
    ] = False,
    json: _Json = False,
) -> None:
    """Make a key and print it; it is stored as a hash, and cannot be shown again."""
    from router_core.pricing import micro_usd
    from tasks.api_keys import keys

    with open_store() as (settings, store):
        for model in split_names(models):
            settings.model(model)
        key, text = keys.create(
            store,
            name,
            budget_day=micro_usd(budget_day),
            budget_month=micro_usd(budget_month),
            models=split_names(models),
            rpm=rpm,
            concurrent_batches=concurrent_batches,
            priority=priority,
            is_operator=operator,
        )
    _show(key, text, as_json=json)


@app.command("update")
def update(
    name: _Name,
    budget_day: _BudgetDay = None,
    budget_month: _BudgetMonth = None,
    models: _Models = "",
    rpm: _Rpm = None,
    concurrent_batches: _ConcurrentBatches = None,
    priority: Annotated[str | None, _PRIORITY] = None,
    remove: Annotated[
        str, typer.Option(metavar="LIMIT,…", help="Limits to take away, such as budget-day,models.")
    ] = "",
) -> None:
    """Change limits of a key; they hold from the next request on. What is not named stays."""
    from router_core.pricing import micro_usd
    from tasks.api_keys import keys
    from workers.views.keys import keys_table

    with open_store() as (settings, store):
        for model in split_names(models):
            settings.model(model)
        named = {
            "budget_day": micro_usd(budget_day),
            "budget_month": micro_usd(budget_month),
            "models": split_names(models) or None,
            "rpm": rpm,
            "concurrent_batches": concurrent_batches,
            "priority": priority,
        }
        changed = {limit: value for limit, value in named.items() if value is not None}
        key = keys.update(store, name, changed, remove=[one.replace("-", "_") for one in split_names(remove)])
    show(keys_table([key]), highlight=False)


@app.command("list")
def list_(json: _Json = False) -> None:
    """List the keys, their limits, and what is left of their budgets."""
    from tasks.batch_api.creation import left_of
    from tasks.store.api import keys
    from workers.views.keys import keys_table

    with open_store() as (_, store), store.read() as connection:
        found = keys.list_keys(connection)
        left = {key.id: left_of(connection, key) for key in found if key.revoked_at is None}
    if json:
        write_json([{**asdict(key), "left": left.get(key.id, {})} for key in found])
    elif found:
        show(keys_table(found, left), highlight=False)
    else:
        info("the store holds no key: `waybill keys create NAME` makes one")


@app.command("revoke")
def revoke(name: _Name) -> None:
    """Let a key open nothing from now on; its batches go on."""
    from tasks.api_keys import keys

    with open_store() as (_, store):
        key = keys.revoke(store, name)
    info(f"{key.name}: revoked")


@app.command("rotate")
def rotate(
    name: _Name,
    keep_old: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="The old key holds so much longer, such as 24h.")
    ] = None,
    json: _Json = False,
) -> None:
    """Give a key a new text and print it; its files and batches stay its own."""
    from tasks.api_keys import keys
    from tasks.formats.periods import seconds_of

    with open_store() as (_, store):
        key, text = keys.rotate(store, name, keep_s=seconds_of(keep_old) if keep_old else 0.0)
    _show(key, text, as_json=json)


@app.command("operator")
def operator(
    name: _Name,
    off: Annotated[bool, typer.Option("--off", help="Make it an ordinary key again.")] = False,
) -> None:
    """Let a key's page show the counts of all keys' batches, the routers and operations."""
    from tasks.api_keys import keys

    with open_store() as (_, store):
        key = keys.set_operator(store, name, is_operator=not off)
    info(f"{key.name}: {'an ordinary key' if off else 'an operator'}")


@app.command("webhook")
def webhook(
    name: _Name,
    url: Annotated[
        str | None, typer.Argument(help="Where the end of each of its batches is announced.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Announce nothing any more.")] = False,
) -> None:
    """Set the target of a key's webhooks and print the secret that signs them, once."""
    from tasks.errors import UsageError
    from tasks.webhooks import targets

    if remove == (url is not None):
        raise UsageError("name a URL, or else --remove")
    with open_store() as (_, store):
        if url is None:
            targets.remove_for_key(store, name)
            info(f"{name}: no webhooks any more")
        else:
            write(targets.set_for_key(store, name, url).secret)


@app.command("audit")
def audit(
    name: Annotated[str | None, typer.Argument(help="The name of a key, or its id; default: all.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="So many entries at most.")] = 100,
    json: _Json = False,
) -> None:
    """Show who did what to keys, files and batches of the API, the newest first."""
    from tasks.store.api import audit as log
    from tasks.store.api import keys
    from workers.views.keys import audit_table

    with open_store() as (_, store), store.read() as connection:
        owner = None if name is None else keys.find(connection, name).id
        entries = log.latest(connection, owner=owner, limit=limit)
        names = {key.id: key.name for key in keys.list_keys(connection)}
    if json:
        write_json([{**entry, "at": entry["at"] / 1000} for entry in entries])
    elif entries:
        show(audit_table(entries, names), highlight=False)
    else:
        info("nothing was done to a key, a file or a batch of the API")


app.command("spending")(spending)


def _show(key: Key, text: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"id": key.id, "name": key.name, "key": text})
    else:
        info(f"{key.name} ({key.id}): keep this key, it is not shown again")
        write(text)
