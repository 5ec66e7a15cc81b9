"""Settings with two models that have prices."""

from tasks.settings import ModelSettings, Settings

MODELS = tuple(
    ModelSettings(name=name, litellm=f"openai/{name}", input_price=1, output_price=2)
    for name in ("small", "large")
)
SETTINGS = Settings(models=MODELS)
