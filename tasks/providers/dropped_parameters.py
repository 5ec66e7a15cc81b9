"""A process that tells which parameters LiteLLM drops for a model: importing LiteLLM takes seconds.

It reads lines of JSON, a model's name in LiteLLM and samples of parameters (`tasks.parameters.samples`), and
answers each with the list of those that are dropped.
"""

from __future__ import annotations

import json
import os
import sys

from tasks.providers.litellm_parameters import dropped_parameters


def main() -> None:
    """Answer every line of stdin; what LiteLLM prints goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        model, samples = json.loads(line)
        dropped = dropped_parameters(model, json.loads(samples), own_server=False)
        print(json.dumps(sorted(dropped)), file=answers, flush=True)


if __name__ == "__main__":
    main()
