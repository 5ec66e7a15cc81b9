"""`waybill demo`: the whole pipeline on simulated models, without an API key."""
