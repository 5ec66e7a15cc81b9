"""`python -m workers.demo.data` writes labelled.jsonl again."""

from workers.demo.data.labelled import LABELLED_PATH, write_labelled

if __name__ == "__main__":
    write_labelled(LABELLED_PATH)
