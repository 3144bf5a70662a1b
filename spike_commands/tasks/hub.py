"""Rows of datasets on the Hugging Face hub, by the library datasets; only where a user asks."""

from collections.abc import Sequence
from typing import Any

import datasets

from spike_lm.model.evaluation.task import HubRows, Record
from spiketok.errors import SpikeError


def hub_rows(rows: HubRows, configuration: str) -> Sequence[Record]:
    """Return the rows of a configuration of a hub dataset, downloaded or from the cache.

    Raises:
        SpikeError: the hub cannot be reached, or it has no such dataset.
    """
    try:
        found: Any = datasets.load_dataset(rows.path, configuration or None, split=rows.split)
        listed: list[Record] = found.to_list()
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise SpikeError(
            f"{rows.path}: cannot be read from the hub ({why}); connect to the network, or name "
            "files with --data"
        ) from None
    return listed
