"""How many prompts are unlike the labels, in the same words on every screen."""

from __future__ import annotations

from router_core.monitoring.familiarity import Familiarity
from tasks.store.batch_progress import Progress


def unfamiliar_text(found: Familiarity | None) -> str:
    """Return the expected number of prompts unlike the labels, an estimate; nothing where it is not known."""
    if found is None or found.share is None:
        return ""
    share = f"{found.share.value:.0%}, estimated"
    return f"about {found.unfamiliar:,} of {found.prompts:,} prompts ({share}) are unlike the labels"


def unfamiliar_warning(found: Familiarity | None, source: str) -> str:
    """Return how many prompts are unlike the labels and what to do, if they are many; else nothing.

    Args:
        found: The prompts like and unlike the labels; None where the router does not tell.
        source: What `waybill collect` takes the prompts from, a file or a batch.
    """
    if found is None or not found.high:
        return ""
    return f"{unfamiliar_text(found)}: `waybill collect {source} --by novelty` asks for labels of them"


def unfamiliar_texts(found: Familiarity | None, source: str) -> tuple[str, str]:
    """Return how many prompts are unlike the labels, and the same with what to do if they are many."""
    return unfamiliar_text(found), unfamiliar_warning(found, source)


def familiarity_of(state: Progress) -> Familiarity | None:
    """Return the prompts of a batch like and unlike the labels; None where no router measured them."""
    return Familiarity(state.familiar, state.unfamiliar) if state.unfamiliar_share is not None else None
