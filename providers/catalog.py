"""The providers that AILB knows by name. A provider that speaks OpenAI's dialect is a row here, not a class.

`models` are the names and patterns that a row serves unless the config says otherwise; where there are none, the provider's own list
tells (`discover = true`), or the config has to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from providers import openai_quirks as quirk


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`base_url` is empty where each customer has another one. `key_env` is where the key is by custom. `local`: no key is needed,
    and the address may be in this network. `chat_path` and `models_path` are for the dialects that ask for them."""

    dialect: str = "openai"
    base_url: str = ""
    key_env: str = ""
    auth: Literal["bearer", "api-key", "x-api-key", "none"] = "bearer"
    chat_path: str = "/chat/completions"
    models_path: str | None = "/models"
    cap_name: str = "max_tokens"
    query: Mapping[str, str] = field(default_factory=dict)
    quirks: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    local: bool = False


_OPENAI = Row(
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    cap_name="max_completion_tokens",  # its newer models refuse the other one
    models=("gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-4o", "gpt-4o-mini", "gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "ft:gpt-*"),
)

_AZURE = Row(  # base_url: https://NAME.openai.azure.com; the models are the names of the deployments
    key_env="AZURE_OPENAI_API_KEY",
    auth="api-key",
    cap_name="max_completion_tokens",
    chat_path="/openai/deployments/{model}/chat/completions",
    models_path=None,
    query=MappingProxyType({"api-version": "2024-10-21"}),
)

_ANTHROPIC = Row(
    dialect="anthropic",
    base_url="https://api.anthropic.com",
    key_env="ANTHROPIC_API_KEY",
    auth="x-api-key",
    models=("claude-*",),
)

_OLLAMA = Row(dialect="ollama", base_url="http://127.0.0.1:11434", auth="none", local=True)

_ON_FINISH = frozenset({quirk.USAGE_ANYWHERE})

_HOSTED = {
    "cerebras": Row(
        base_url="https://api.cerebras.ai/v1",
        key_env="CEREBRAS_API_KEY",
        quirks=_ON_FINISH | {quirk.REASONING},
    ),
    "cohere": Row(
        base_url="https://api.cohere.ai/compatibility/v1",
        key_env="COHERE_API_KEY",
        quirks=_ON_FINISH | {quirk.ONLY_MAX_TOKENS},
        models=("command-*",),
    ),
    "databricks": Row(  # base_url: https://WORKSPACE/serving-endpoints
        key_env="DATABRICKS_TOKEN",
        models_path=None,
        quirks=_ON_FINISH | {quirk.CONTENT_PARTS},
        models=("databricks-*",),
    ),
    "deepseek": Row(
        base_url="https://api.deepseek.com/v1",
        key_env="DEEPSEEK_API_KEY",
        quirks=_ON_FINISH | {quirk.ONLY_MAX_TOKENS},
        models=("deepseek-*",),
    ),
    "fireworks": Row(
        base_url="https://api.fireworks.ai/inference/v1",
        key_env="FIREWORKS_API_KEY",
        quirks=_ON_FINISH,
        models=("accounts/fireworks/*",),
    ),
    "gemini": Row(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env="GEMINI_API_KEY",
        quirks=_ON_FINISH | {quirk.OUTPUT_IS_REST, quirk.TOOL_IDS, quirk.LIST_INDEX},
        models=("gemini-*",),
    ),
    "groq": Row(
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        quirks=_ON_FINISH | {quirk.REASONING, quirk.IDS},
    ),
    "huggingface": Row(
        base_url="https://router.huggingface.co/v1",
        key_env="HF_TOKEN",
        quirks=quirk.TOLERANT | {quirk.FINISH_WORDS},
    ),
    "mistral": Row(
        base_url="https://api.mistral.ai/v1",
        key_env="MISTRAL_API_KEY",
        quirks=_ON_FINISH
        | {quirk.NO_STREAM_OPTIONS, quirk.ONLY_MAX_TOKENS, quirk.CONTENT_PARTS, quirk.LIST_INDEX, quirk.PADDING, quirk.FINISH_WORDS},
        models=("mistral-*", "ministral-*", "magistral-*", "codestral-*", "devstral-*", "pixtral-*", "voxtral-*", "open-mi*"),
    ),
    "nvidia": Row(
        base_url="https://integrate.api.nvidia.com/v1",
        key_env="NVIDIA_API_KEY",
        quirks=_ON_FINISH | {quirk.REASONING},
    ),
    "openrouter": Row(
        base_url="https://openrouter.ai/api/v1",
        key_env="OPENROUTER_API_KEY",
        quirks=_ON_FINISH | {quirk.FINISH_TWICE, quirk.REASONING, quirk.LIST_INDEX},
    ),
    "perplexity": Row(
        base_url="https://api.perplexity.ai",
        key_env="PERPLEXITY_API_KEY",
        models_path="/v1/models",
        quirks=_ON_FINISH | {quirk.ONLY_MAX_TOKENS, quirk.MESSAGE_BESIDE_DELTA},
        models=("sonar*",),
    ),
    "together": Row(
        base_url="https://api.together.xyz/v1",
        key_env="TOGETHER_API_KEY",
        quirks=_ON_FINISH | {quirk.FINISH_TWICE, quirk.FINISH_WORDS, quirk.REASONING},
    ),
    "venice": Row(
        base_url="https://api.venice.ai/api/v1",
        key_env="VENICE_API_KEY",
        quirks=_ON_FINISH,
    ),
    "vercel": Row(
        base_url="https://ai-gateway.vercel.sh/v1",
        key_env="AI_GATEWAY_API_KEY",
        quirks=_ON_FINISH | {quirk.REASONING},
    ),
    "xai": Row(
        base_url="https://api.x.ai/v1",
        key_env="XAI_API_KEY",
        quirks=frozenset({quirk.OUTPUT_IS_REST}),
        models=("grok-*",),
    ),
    "zai": Row(
        base_url="https://api.z.ai/api/paas/v4",
        key_env="ZAI_API_KEY",
        quirks=_ON_FINISH | {quirk.ONLY_MAX_TOKENS},
        models=("glm-*",),
    ),
}

_SERVERS = {
    "llamacpp": Row(quirks=_ON_FINISH, local=True),  # its own default is port 8080, which is AILB's too; n > 1 has usage twice
    "lmstudio": Row(base_url="http://127.0.0.1:1234/v1", quirks=quirk.TOLERANT | {quirk.ONLY_MAX_TOKENS}, local=True),
    "openai-compatible": Row(quirks=quirk.TOLERANT, local=True),
    "vllm": Row(base_url="http://127.0.0.1:8000/v1", quirks=frozenset({quirk.REASONING}), local=True),
}

ROWS: Final[Mapping[str, Row]] = MappingProxyType(
    {"openai": _OPENAI, "azure": _AZURE, "anthropic": _ANTHROPIC, "ollama": _OLLAMA, **_HOSTED, **_SERVERS}
)
