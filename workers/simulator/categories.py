"""The true category of a prompt, guessed from its words: a model's strengths depend on it.

It shares nothing with the router, which has to predict the quality that follows from it.
"""

import re

_CUES = {
    "summarization": r"summar|tl;?dr|condense|key (?:points|takeaways)|in (?:one|two|three) sentences?"
    r"|\bgist of|boil .* down|shorten|bullet points|abstract for|headline for|zusammenfass|fasse|résum|resum",
    "creative_writing": r"poem|haiku|short story|limerick|sonnet|lyrics|dialogue|screenplay|\bscene\b"
    r"|fairy tale|opening (?:line|paragraph)|imagine|tagline|slogan|\bode\b|love letter|fable|monologue"
    r"|gedicht|poème",
    "coding": r"```|\bpython\b|javascript|typescript|\bsql\b|\brust\b|\bjava\b|\bbash\b|\bregex\b"
    r"|function|stack trace|unit test|refactor|\bbug\b|compile|\bcode\b|algorithm|endpoint|dockerfile"
    r"|read .* file|funktion|fonction|función",
    "mathematics": r"solve|equation|integral|derivative|probability|how many|percent|\bsum of\b|calculate"
    r"|compute|\barea\b|average|prove that|remainder|theorem|perimeter|volume of|interest|matrix|evaluate"
    r"|wie viele|combien|cuánt",
    "reasoning": r"\bwhy\b|logic|puzzle|deduce|infer|conclude|if all|argu|assumption|\bwho\b|premise"
    r"|cause|riddle|weigh|plan|decide|fallac|explain|warum|pourquoi|por qué",
}
_ANY_CUE = re.compile("|".join(f"(?P<{category}>{cues})" for category, cues in _CUES.items()))


def guess_category(prompt: str) -> str:
    """Return one of `config.CATEGORIES`, by the first cue: instructions mostly precede their material."""
    cue = _ANY_CUE.search(prompt.lower())
    return str(cue.lastgroup) if cue else "other"
