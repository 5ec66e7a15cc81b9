"""Routers on the page: versions, the canary, drift; operators promote and roll back."""
