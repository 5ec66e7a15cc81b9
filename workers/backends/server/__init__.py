"""The batches of an API server (`waybill api`), over HTTP."""
