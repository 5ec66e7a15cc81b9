"""Cases of requests and replies, as tables: what is sent and answered, and what must come out."""
