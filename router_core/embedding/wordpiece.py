"""Tokens word by word: an uncased WordPiece tokenizer, remembered for the words that are met again and again.

A tokenizer cuts each word by itself, so in a text of plain ASCII looking words up gives its very tokens, in a
fifth of its time.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: words that are remembered, and the length up to which one is
MOST_WORDS = 1 << 15
LONGEST_WORD = 40
#: what BERT's rules leave of lower-case ASCII: words, and signs one by one; control characters are no signs
_WORD = re.compile(r"[a-z0-9]+|[^a-z0-9 \t\n\r]")


class WordTokens:
    """The tokens of plain texts, the same as the tokenizer's."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._known = _Known(tokenizer)
        self._added = [str(token.content).lower() for token in tokenizer.get_added_tokens_decoder().values()]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> WordTokens | None:
        """None for a tokenizer that cuts texts by other rules."""
        from tokenizers.models import WordPiece
        from tokenizers.normalizers import BertNormalizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        kinds = (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.model)
        known = map(isinstance, kinds, (BertNormalizer, BertPreTokenizer, WordPiece))
        return cls(tokenizer) if all(known) and tokenizer.normalizer.lowercase else None

    def ids(self, text: str) -> list[int] | None:
        """Return the numbers of all tokens of a text, None where only the tokenizer knows."""
        lowered = text.lower()
        if not text.isascii() or any(token in lowered for token in self._added):
            return None
        try:
            return list(chain.from_iterable(map(self._known.__getitem__, _WORD.findall(lowered))))
        except KeyError:
            return None


class _Known(dict[str, tuple[int, ...]]):
    """The tokens of each word; KeyError for a control character, which the tokenizer drops."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def __missing__(self, word: str) -> tuple[int, ...]:
        if not word.isprintable():
            raise KeyError
        tokens = tuple(self._tokenizer.encode(word, add_special_tokens=False).ids)
        if len(self) >= MOST_WORDS:
            self.clear()
        if len(word) <= LONGEST_WORD:
            self[word] = tokens
        return tokens
