"""The plan of a call: a pure function of the seed, the model, the messages and the attempt.

It does not depend on the order in which calls arrive, not even among models. So a run can be repeated, and a
retry can succeed where the call before failed.
"""

import hashlib
import math
from collections.abc import Mapping
from random import Random

from workers.simulator.answers import truncate, write_answer
from workers.simulator.categories import guess_category
from workers.simulator.config import ModelProfile
from workers.simulator.directives import Directive, parse_directive, without_directive
from workers.simulator.elaboration import elaborate
from workers.simulator.faults import Fault
from workers.simulator.http_errors import HTTP_ERRORS
from workers.simulator.judge import JudgePrompt, parse_judge_prompt, write_verdict
from workers.simulator.ledger import PromptAttempt
from workers.simulator.plan import Plan
from workers.simulator.requests import ChatRequest, count_tokens

DEFAULT_STRENGTH = 0.5
DEFAULT_TOKENS = 80


def plan_call(model: ModelProfile, request: ChatRequest, attempt: PromptAttempt, *, seed: int) -> Plan:
    """Return the plan of an attempt at a prompt; raises RefusedError where its directive is wrong."""
    judge_prompt = parse_judge_prompt(request.prompt)
    # A judge's message contains a nonce: the draws must depend on the content alone.
    content = (
        (judge_prompt.question, judge_prompt.first, judge_prompt.second) if judge_prompt else request.digest
    )
    random = _random(seed, model.name, content, attempt.of_model)
    # A directive in a judged answer is not meant for the judge.
    directive = Directive() if judge_prompt else parse_directive(request.prompt)
    # All are drawn, in this order, so that other failure probabilities change neither latency nor answer.
    drawn, latency = random.random(), _latency(model, random)
    call_id = f"chatcmpl-{random.getrandbits(96):024x}"
    fault = (
        directive.fault_for(model.name, attempt.of_all)
        or _fault_at(model.failures, drawn)
        or _too_long(model, request)
    )
    if fault in HTTP_ERRORS or fault is Fault.HANG:
        category, good, text, finish_reason = "other", False, "", "stop"
    else:
        category, good, text, finish_reason = (
            _verdict(model, judge_prompt, random) if judge_prompt else _answer(model, request, random)
        )
    plan = Plan(
        id=call_id,
        fault=fault,
        latency_ms=latency if directive.latency_ms is None else directive.latency_ms,
        category=category,
        good=good,
        text=text,
        completion_tokens=count_tokens(text),
        finish_reason=finish_reason,
        shape=directive.shape_for(model.name, attempt.of_all),
        hold=directive.hold_for(model.name, attempt.of_all) or model.hold,
    )
    return plan if judge_prompt or not text else elaborate(plan, model, request, directive, random)


def _random(*parts: object) -> Random:
    return Random(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest())


def _latency(model: ModelProfile, random: Random) -> float:
    return model.latency_ms * math.exp(model.latency_sigma * random.gauss(0, 1))


def _fault_at(failures: Mapping[Fault, float], drawn: float) -> Fault | None:
    """Return the failure that a uniform draw in [0, 1) selects by the failures' probabilities."""
    for fault, share in failures.items():
        drawn -= share
        if drawn < 0:
            return fault
    return None


def _too_long(model: ModelProfile, request: ChatRequest) -> Fault | None:
    return Fault.CONTEXT_LENGTH if request.prompt_tokens > model.context_window else None


def _verdict(model: ModelProfile, prompt: JudgePrompt, random: Random) -> tuple[str, bool, str, str]:
    return "other", True, write_verdict(prompt, model.judging, random), "stop"


def _answer(model: ModelProfile, request: ChatRequest, random: Random) -> tuple[str, bool, str, str]:
    prompt = without_directive(request.prompt)
    category = guess_category(prompt)
    good = random.random() < model.strengths.get(category, DEFAULT_STRENGTH)
    tokens = round(model.output_tokens.get(category, DEFAULT_TOKENS) * math.exp(0.3 * random.gauss(0, 1)))
    text = write_answer(prompt, category=category, good=good, tokens=tokens, random=random)
    if request.max_tokens is not None and count_tokens(text) > request.max_tokens:
        return category, good, truncate(text, request.max_tokens), "length"
    return category, good, text, "stop"
