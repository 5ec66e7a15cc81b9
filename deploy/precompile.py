"""Makes bytecode of the packages that a role imports when it starts: `python precompile.py EXTRAS`."""

import importlib.util
import sys

COMMON = """
    celery.bin.worker celery.concurrency.prefork kombu.transport.redis redis psycopg psycopg_binary
    sqlmodel sqlalchemy.dialects.postgresql alembic.command pydantic_settings jsonschema_rs
    charset_normalizer typer rich.console rich.table rich.progress numpy pyarrow
"""
OPTIONAL = ("numpy", "pyarrow")
OF_EXTRA = {
    "embed": "torch sentence_transformers transformers.models.bert.modeling_bert faiss scipy model2vec",
    "route": "faiss lightgbm",
    "dispatch": "litellm aiohttp",
    "flower": "flower.command tornado.web",
    "api": "starlette.applications uvicorn python_multipart httpx",
    "loop": "datasketch krippendorff",
    "report": "matplotlib.pyplot",
}


def main() -> None:
    """Import all of it, which also shows that it can be imported; not every role has numpy and Arrow."""
    extras = sys.argv[1].split(",")
    for name in " ".join([COMMON, *(OF_EXTRA.get(extra, "") for extra in extras)]).split():
        if name not in OPTIONAL or importlib.util.find_spec(name):
            importlib.import_module(name)


if __name__ == "__main__":
    main()
