"""What each column is worth to a model: by how much it gets worse when the column's values are shuffled.

Permutation importance, as in Breiman 2001, "Random Forests", section 10. Columns that say the same stand in for each
other, so that each alone can look worthless.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_code.metrics import FIRST_AND_ITS_GOAL, first_metric
from model_code.sampling import evenly_spaced
from model_code.task import Task

MOST_RECORDS = 2_000
MOST_COLUMNS = 100
SHUFFLES = 3
_SEED = 20130318


def permutation_importance(
    predict: Callable[[pl.DataFrame], NDArray[Any]], records: pl.DataFrame, labels: NDArray[Any], task: Task
) -> dict[str, Any] | None:
    """The mean loss of the task's first metric over three shuffles of each column; above 0: worse without it.

    Args:
        predict: checked predictions for records.
        records: the columns that the model gets, and no others.

    Returns:
        None for more than 100 columns, which would take too long.
    """
    if records.width > MOST_COLUMNS:
        return None
    places = evenly_spaced(records.height, MOST_RECORDS)
    few, truth = records[places], labels[places]
    metric, goal = FIRST_AND_ITS_GOAL[task.name]
    whole = first_metric(task.name, truth, predict(few))
    random = np.random.default_rng(_SEED)

    def loss(column: str) -> float:
        shuffled = few.with_columns(few[column][random.permutation(few.height)])
        return goal * (whole - first_metric(task.name, truth, predict(shuffled)))

    losses = {column: [loss(column) for _ in range(SHUFFLES)] for column in few.columns}
    return {"metric": metric, "columns": {column: float(np.mean(values)) for column, values in losses.items()}}
