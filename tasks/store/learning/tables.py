"""The tables of the learning loop. Texts stay where they are: in requests and outcomes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from tasks.store.tables import big, counter, number_column, table_of


class SampledPrompt(SQLModel, table=True):
    """A prompt that several models answer, so that judges can compare the answers."""

    __tablename__ = "sampled_prompt"

    id: int | None = Field(default=None, sa_column=number_column())
    #: the batch that collects the answers
    batch_no: int = Field(index=True)
    custom_id: str
    #: `router_core.data.splits.prompt_hash`
    prompt_hash: str = Field(index=True)
    category: str | None = None
    #: a request that holds the prompt
    request_id: int = big(nullable=False)
    created_at: int = counter()


class SampledAnswer(SQLModel, table=True):
    """The request whose outcome is this model's answer: bought for the sample, or paid for before."""

    __tablename__ = "sampled_answer"

    prompt_id: int = big(primary_key=True, autoincrement=False)
    model: str = Field(primary_key=True)
    request_id: int = big(nullable=False)
    #: the answer's length in characters, once a judge's prompt was made of it
    characters: int | None = None


class JudgedPrompt(SQLModel, table=True):
    """A sampled prompt in one run of judges."""

    __tablename__ = "judged_prompt"
    __table_args__ = (
        Index(
            "ix_judged_prompt_chunk",
            "chunk_id",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    batch_no: int = Field(primary_key=True)
    prompt_id: int = big(primary_key=True, autoincrement=False)
    chunk_id: int = big(nullable=False)
    #: open, settled (its winner is known, or all pairs were judged), stopped (budget, cancelled), failed
    state: str
    #: all pairs of its answers, and those that were judged
    pairs: int = counter()
    judged: int = counter()
    #: how often a judge worker died holding it
    losses: int = counter()


class JudgeVerdict(SQLModel, table=True):
    """A judge's verdict on two answers in one order, or the call that is to bring it."""

    __tablename__ = "verdict"
    __table_args__ = (
        UniqueConstraint("batch_no", "prompt_id", "judge", "first", "second", "number"),
        Index("ix_verdict_prompt", "prompt_id"),
    )

    id: int | None = Field(default=None, sa_column=number_column())
    batch_no: int
    prompt_id: int = big(nullable=False)
    judge: str
    #: the model whose answer was shown first, and the other
    first: str
    second: str
    #: 1, or more where a reply could not be used and was asked for again
    number: int = 1
    #: the judge's call; none where the answers were equal, which needs no judge
    request_id: int | None = big(nullable=True, unique=True)
    #: first, second, tie, none (nothing usable), unanswered (the call failed); null while it is on its way
    verdict: str | None = None


class HumanPrompt(SQLModel, table=True):
    """A prompt that people judged; it need not be in any batch."""

    __tablename__ = "human_prompt"

    prompt_hash: str = Field(primary_key=True)
    prompt: str = Field(sa_column=Column(Text, nullable=False))
    custom_id: str | None = None
    category: str | None = None


class HumanLabel(SQLModel, table=True):
    """What one person said of two models' answers to a prompt."""

    __tablename__ = "human_label"

    prompt_hash: str = Field(primary_key=True)
    #: in the order of their names
    first: str = Field(primary_key=True)
    second: str = Field(primary_key=True)
    annotator: str = Field(primary_key=True)
    #: what the first model gets: 1 better, 0.5 alike, 0 worse
    value: float = Field(sa_column=Column(Float, nullable=False))
    created_at: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


sampled_prompt, sampled_answer = table_of("sampled_prompt"), table_of("sampled_answer")
judged_prompt, verdict = table_of("judged_prompt"), table_of("verdict")
human_prompt, human_label = table_of("human_prompt"), table_of("human_label")
