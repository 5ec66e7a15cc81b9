"""The API server: OpenAI's Batch API over Waybill, for many users at once (`waybill api`)."""
