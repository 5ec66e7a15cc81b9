"""The tables of the learning loop; the texts of prompts and answers stay in requests and outcomes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from tasks.store.columns import (
    autoincrement_key,
    bigint_column,
    counter_column,
    partial_index,
    table_of,
    text_column,
)


class SampledPrompt(SQLModel, table=True):
    """A prompt that several models answer, so that judges can compare the answers."""

    __tablename__ = "sampled_prompt"

    id: int | None = Field(default=None, sa_column=autoincrement_key())
    #: the batch that collects the answers
    batch_no: int = Field(index=True)
    custom_id: str
    #: `router_core.data.splits.prompt_hash`
    prompt_hash: str = Field(index=True)
    category: str | None = None
    #: a request that holds the prompt
    request_id: int = bigint_column(nullable=False)
    created_at: int = counter_column()


class SampledAnswer(SQLModel, table=True):
    """A model's answer to a sampled prompt: the request whose outcome it is, of this or an earlier batch."""

    __tablename__ = "sampled_answer"
    # For the deletion of a batch: which samples have answers of it.
    __table_args__ = (Index("ix_sampled_answer_request", "request_id"),)

    prompt_id: int = bigint_column(primary_key=True, autoincrement=False)
    model: str = Field(primary_key=True)
    request_id: int = bigint_column(nullable=False)
    #: the answer's length in characters, set once it is part of a judge's prompt
    characters: int | None = None


class JudgedPrompt(SQLModel, table=True):
    """A sampled prompt in one judge run."""

    __tablename__ = "judged_prompt"
    __table_args__ = (partial_index("ix_judged_prompt_chunk", "chunk_id", where="state = 'open'"),)

    batch_no: int = Field(primary_key=True)
    prompt_id: int = bigint_column(primary_key=True, autoincrement=False)
    chunk_id: int = bigint_column(nullable=False)
    #: open, settled (the winner is known, or all pairs are judged), stopped (budget, cancelled), failed
    state: str
    #: the number of pairs of its answers, and of those that are judged
    pairs: int = counter_column()
    judged: int = counter_column()
    #: how often a judge worker died while it held the prompt
    losses: int = counter_column()


class JudgeVerdict(SQLModel, table=True):
    """A judge's verdict on two answers in one order, or the call for it."""

    __tablename__ = "verdict"
    __table_args__ = (
        UniqueConstraint("batch_no", "prompt_id", "judge", "first", "second", "number"),
        Index("ix_verdict_prompt", "prompt_id"),
    )

    id: int | None = Field(default=None, sa_column=autoincrement_key())
    batch_no: int
    prompt_id: int = bigint_column(nullable=False)
    judge: str
    #: the models whose answers are shown first and second
    first: str
    second: str
    #: 1, or higher for a call that was repeated after an invalid reply
    number: int = 1
    #: the judge's call; null if the answers are equal, which needs no call
    request_id: int | None = bigint_column(nullable=True, unique=True)
    #: first, second, tie, none (an invalid reply), unanswered (the call failed); null while in flight
    verdict: str | None = None


class HumanPrompt(SQLModel, table=True):
    """A prompt that people have judged; it need not be in any batch."""

    __tablename__ = "human_prompt"

    prompt_hash: str = Field(primary_key=True)
    prompt: str = text_column()
    custom_id: str | None = None
    category: str | None = None


class HumanLabel(SQLModel, table=True):
    """One person's preference between two models' answers to a prompt."""

    __tablename__ = "human_label"

    prompt_hash: str = Field(primary_key=True)
    #: the models, in alphabetical order
    first: str = Field(primary_key=True)
    second: str = Field(primary_key=True)
    annotator: str = Field(primary_key=True)
    #: the value of the first model: 1 better, 0.5 tie, 0 worse
    value: float = Field(sa_column=Column(Float, nullable=False))
    created_at: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


sampled_prompt, sampled_answer = table_of("sampled_prompt"), table_of("sampled_answer")
judged_prompt, verdict = table_of("judged_prompt"), table_of("verdict")
human_prompt, human_label = table_of("human_prompt"), table_of("human_label")
