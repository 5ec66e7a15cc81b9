"""The store of record: the database that holds every batch, and the queries on it.

- `tables`, `learning.tables` and `routers.tables` define the tables. `schema` creates them, and `migrations`
  upgrades the tables of an older Waybill. The database is SQLite on one host, or PostgreSQL.
- A `Store` opens transactions: `read()` is a consistent snapshot, `write()` commits or rolls back. Most
  queries are functions that take the open connection, so that the caller decides what one transaction is.
- Every transaction on the requests of a batch locks the batch's row first (`batches.lock`), so that no two
  transactions deadlock. If it also needs the batch that pays for this one (`payer_no`), it locks that next.
  On PostgreSQL, what every group of calls writes does without that lock: see `unlocked`.
- The `outbox` announces work: a message is committed together with its chunk, and published to Redis later.
- Money is integer micro-dollars; times are milliseconds since 1970 by the database's clock.
"""
