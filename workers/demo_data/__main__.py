"""`python -m workers.demo_data` writes labelled.jsonl anew."""

from workers.demo_data.labelled import LABELLED_PATH, write_labelled

if __name__ == "__main__":
    write_labelled(LABELLED_PATH)
