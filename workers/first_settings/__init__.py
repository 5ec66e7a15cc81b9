"""The first `waybill.toml`: what `waybill init` asks, and what it writes."""
