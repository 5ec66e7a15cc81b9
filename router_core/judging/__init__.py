"""Judging answers in pairs: what judges are asked, what their verdicts mean, and how reliable they are."""
