"""The page: what Waybill does, in a browser; the API server's process serves it."""
