"""What many processes write to one batch on PostgreSQL at once: no group of calls locks the batch's row.

A reservation and a settlement are one statement each, which is a transaction of its own. They lock the rows
of their own chunks, calls and requests, in that order, and add to the batch by an appended row, a delta.
Whoever holds the batch's lock folds the deltas into its row. A reservation spends from the purse of its
process: money that the batch's row has reserved already.

What a statement leaves over (a lost lease, a purse without enough money, a bill above the worst case) goes
the way of the functions in `ledger` and `reservations`, under the batch's lock. SQLite, which has one writer
at a time, always goes that way.
"""
