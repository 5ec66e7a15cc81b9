"""The types of our own events, and how often they are sent."""

from __future__ import annotations

#: the groups whose calls a dispatch process has not finished: `groups`, and its `pid`
GROUPS = "dispatch-groups"
#: the backlog of each queue in the store: `queues`, see `tasks.store.queues`
QUEUES = "upkeep-queues"
#: seconds between two events of a process while there is something to tell
EVERY_S = 2.0
#: how long an event holds when no other one follows: its process may have died
HOLDS_S = 15.0
