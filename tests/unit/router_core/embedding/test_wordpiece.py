"""Tokens word by word: those of the tokenizer itself."""

from random import Random

import pytest
from tokenizers import Tokenizer

from router_core.embedding import wordpiece
from router_core.embedding.model_files import DEFAULT_MODEL, find_model
from router_core.embedding.wordpiece import WordTokens

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
    found = Tokenizer.from_file(str(find_model(DEFAULT_MODEL) / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def random_texts(count: int) -> list[str]:
    random = Random(3)
    letters = [*ASCII, *"eeettaaoin     \n"]
    return ["".join(random.choices(letters, k=random.randrange(60))) for _ in range(count)]


def test_the_tokens_are_the_tokenizers_or_left_to_it(tokenizer: Tokenizer) -> None:
    known = WordTokens.of(tokenizer)
    assert known is not None
    for text in (*TEXTS, *ASCII, *(f"a{one}b" for one in ASCII), *random_texts(2000)):
        ids = known.ids(text)
        assert ids is None or ids == tokenizer.encode(text, add_special_tokens=False).ids, repr(text)
    assert known.ids(TEXTS[0]) is not None


def test_what_stands_for_a_token_and_what_is_not_plain_is_left_to_the_tokenizer(tokenizer: Tokenizer) -> None:
    known = WordTokens.of(tokenizer)
    assert known is not None
    assert [known.ids(text) for text in ("a [SEP] b", "Grüße", "in\x0bone", "\x00")] == [None] * 4


def test_a_tokenizer_with_other_rules_is_asked_itself(tokenizer: Tokenizer) -> None:
    from tokenizers.normalizers import BertNormalizer

    cased = Tokenizer.from_str(tokenizer.to_str())
    cased.normalizer = BertNormalizer(lowercase=False)
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.pre_tokenizer = None
    assert [WordTokens.of(cased), WordTokens.of(plain)] == [None, None]


def test_the_words_in_memory_are_bounded(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpiece, "MOST_WORDS", 10)
    known = WordTokens(tokenizer)
    text = " ".join(f"w{number}" for number in range(100)) + " " + "x" * 100
    assert known.ids(text) == tokenizer.encode(text, add_special_tokens=False).ids
    assert len(known._known) <= 10
    assert "x" * 100 not in known._known
