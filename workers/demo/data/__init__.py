"""Data of the demo, written for this project: labelled prompts for its router, and a batch to answer."""

from workers.demo.data.batch import DemoBatch, write_demo_batch
from workers.demo.data.labelled import LABELLED_PATH

__all__ = ["LABELLED_PATH", "DemoBatch", "write_demo_batch"]
