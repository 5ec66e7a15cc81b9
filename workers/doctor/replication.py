"""The check of a store that PostgreSQL replicates: what a replica would lack if it were promoted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from tasks.settings import Settings
from tasks.store.engine import Store
from workers.doctor.finding import Finding, Level

_QUERY = (
    "SELECT (SELECT count(*) FROM pg_stat_replication), current_setting('synchronous_standby_names'), "
    "current_setting('synchronous_commit')"
)


def replication(settings: Settings) -> Iterator[Finding]:
    """Tell whether a commit waits for a replica, where there is one."""
    with closing(Store(settings.store_url)) as store:
        if store.is_sqlite:
            return
        names_hosts = "," in str(store.engine.url.query.get("host", ""))
        with store.read() as connection:
            replicas, standbys, commit = connection.exec_driver_sql(_QUERY).one()
    waits = bool(standbys) and commit not in ("off", "local")
    if replicas and waits:
        yield Finding("replicas", Level.OK, f"{replicas}; a commit waits for {standbys}")
    elif replicas:
        text = f"{replicas}, none of which a commit waits for: one that is promoted may lack the last calls"
        yield Finding("replicas", Level.WARN, text, "set synchronous_standby_names: docs/operations.md")
    elif names_hosts:
        yield Finding("replicas", Level.WARN, "none receives from the primary", "nothing could take over")
