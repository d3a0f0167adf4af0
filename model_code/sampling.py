"""Picks a few records out of a whole holdout, the same ones every time."""

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(records: int, most: int) -> NDArray[np.int64]:
    """The places of at most `most` of so many records, from the first to the last."""
    return np.linspace(0, records - 1, num=min(most, records), dtype=np.int64)
