"""The cached WordPiece gives the tokens of the tokenizer itself."""

from random import Random

import pytest
from tokenizers import Tokenizer

from router_core.embedding import wordpiece
from router_core.embedding.model_files import DEFAULT_MODEL, find_model
from router_core.embedding.wordpiece import CachedWordPiece

ASCII = [chr(code) for code in range(128)]
TEXTS = [
    "Prove that 17 is PRIME; isn't it?\tYes,\r\n\r\nreally_so: x[i]+=3.14e-10 `$a^2$` <b>|~",
    "",
    "   ",
    "a" * 101 + " " + "b" * 100 + " Donaudampfschifffahrt",
    "in\x0bone\x0cword\x1c here\x00 and\x7f there",
    "[CLS] a [SEP] b [MASK] [unk][PAD",
    "Grüße, 你好 🙂",
    "word " * 700,
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(find_model(DEFAULT_MODEL) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def random_texts(count: int) -> list[str]:
    random = Random(3)
    letters = [*ASCII, *"eeettaaoin     \n"]
    return ["".join(random.choices(letters, k=random.randrange(60))) for _ in range(count)]


def test_the_tokens_are_those_of_the_tokenizer_or_left_to_it(tokenizer: Tokenizer) -> None:
    cached = CachedWordPiece.of(tokenizer)
    assert cached is not None
    for text in (*TEXTS, *ASCII, *(f"a{one}b" for one in ASCII), *random_texts(2000)):
        ids = cached.ids(text)
        assert ids is None or ids == tokenizer.encode(text, add_special_tokens=False).ids, repr(text)
    assert cached.ids(TEXTS[0]) is not None


def test_special_tokens_and_texts_that_are_not_ascii_are_left_to_the_tokenizer(tokenizer: Tokenizer) -> None:
    cached = CachedWordPiece.of(tokenizer)
    assert cached is not None
    assert [cached.ids(text) for text in ("a [SEP] b", "Grüße", "in\x0bone", "\x00")] == [None] * 4


def test_a_tokenizer_with_other_rules_is_not_cached(tokenizer: Tokenizer) -> None:
    from tokenizers.normalizers import BertNormalizer

    cased = Tokenizer.from_str(tokenizer.to_str())
    cased.normalizer = BertNormalizer(lowercase=False)
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.pre_tokenizer = None
    assert [CachedWordPiece.of(cased), CachedWordPiece.of(plain)] == [None, None]


def test_the_number_of_cached_words_is_bounded(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpiece, "MAX_WORDS", 10)
    cached = CachedWordPiece(tokenizer)
    text = " ".join(f"w{number}" for number in range(100)) + " " + "x" * 100
    assert cached.ids(text) == tokenizer.encode(text, add_special_tokens=False).ids
    assert len(cached._tokens_of) <= 10
    assert "x" * 100 not in cached._tokens_of
