"""`waybill demo`: the whole pipeline on simulated models, with no key."""
