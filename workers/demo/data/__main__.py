"""`python -m workers.demo.data` writes labelled.jsonl again; with --prompts, a CSV file of new prompts."""

import argparse
import csv
from itertools import islice
from pathlib import Path

from workers.demo.data.labelled import LABELLED_PATH, write_labelled
from workers.demo.data.prompts import write_prompts


def main() -> None:
    """Write what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m workers.demo.data", description=__doc__)
    parser.add_argument("--prompts", type=int, metavar="N", help="how many prompts to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("prompts.csv"))
    options = parser.parse_args()
    if options.prompts is None:
        write_labelled(LABELLED_PATH)
    else:
        write_csv(options.output, options.prompts, options.seed)


def write_csv(path: Path, count: int, seed: int) -> None:
    """Write a CSV file with the columns id and prompt; the same for the same seed."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "prompt"])
        rows.writerows(
            (number, prompt.text) for number, prompt in enumerate(islice(write_prompts(seed), count), 1)
        )


if __name__ == "__main__":
    main()
