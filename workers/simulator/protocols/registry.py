"""All protocols, and the addresses under which the simulator serves them."""

from workers.simulator.protocols.anthropic import Anthropic
from workers.simulator.protocols.bedrock import Bedrock
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.deepseek import DeepSeek
from workers.simulator.protocols.gemini import Gemini
from workers.simulator.protocols.mistral import Mistral
from workers.simulator.protocols.openai_chat import OpenAIChat
from workers.simulator.protocols.openai_completions import CompatibleCompletions, OpenAICompletions
from workers.simulator.protocols.openai_embeddings import CompatibleEmbeddings, OpenAIEmbeddings
from workers.simulator.protocols.openai_moderations import CompatibleModerations, OpenAIModerations
from workers.simulator.protocols.openai_responses import CompatibleResponses, OpenAIResponses
from workers.simulator.protocols.openrouter import OpenRouter
from workers.simulator.protocols.perplexity import Perplexity
from workers.simulator.protocols.protocol import Protocol
from workers.simulator.protocols.vllm import Vllm
from workers.simulator.protocols.xai import Xai

PROTOCOLS: tuple[Protocol, ...] = (
    Compatible(), CompatibleResponses(), OpenAIChat(), OpenAIResponses(), Anthropic(), Gemini(), DeepSeek(),
    Perplexity(), Mistral(), Bedrock(), Vllm(), Xai(), OpenRouter(),
    CompatibleCompletions(), OpenAICompletions(), CompatibleEmbeddings(), OpenAIEmbeddings(),
    CompatibleModerations(), OpenAIModerations(),
)  # fmt: skip


def prefix_of(protocol: Protocol) -> str:
    """Return the path before a protocol's own ones: the provider, and what an `api_base` holds."""
    return f"/{protocol.name}{protocol.base}" if protocol.name else protocol.base


def base_path(provider: str) -> str:
    """Return the path of a provider's `api_base`; raises StopIteration for an unknown one."""
    return next(prefix_of(protocol) for protocol in PROTOCOLS if protocol.name == provider)
