"""LLM judges that compare answers in pairs: prompt and reply, choice of pairs, scores, reliability."""
