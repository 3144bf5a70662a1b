"""Call of the recipe with the options of `spike eval --tasks`."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..callbacks import Callbacks
from .option_values import FOLDER, TaskOptions
from .recipe import TaskScoring, evaluate_tasks
from .results import check_saves, save_results


def evaluated(options: TaskOptions, given: Mapping[str, Any], show: Callbacks) -> dict[str, Any]:
    """Score the tasks that the options name, and save the result if they say so.

    Args:
        options: those of tasks.
        given: values of the other parameters of `spike eval`.
        show: callbacks for progress and remarks.
    """
    model: Path = given["run"]
    if options.save_results:
        check_saves(model)
    hub = None
    if options.from_hub:
        from .hub import hub_rows  # imports datasets

        hub = hub_rows
    how = TaskScoring(
        folder=given["data_folder"] or FOLDER,
        limit=options.limit,
        border=options.border,
        context=given["context"],
        device=given["device"],
        items=options.items_file,
        resume=options.resume_items,
        allow_changed=options.allow_changed,
        hub=hub,
        shards=options.shards,
        overlap=options.overlap,
        exclude_overlap=options.exclude_overlap,
        trust_remote_code=options.trust_remote_code,
    )
    names = [name.strip() for name in (options.tasks or "").split(",")]
    try:
        found = evaluate_tasks(model, names, how, show)
    except KeyboardInterrupt:
        if options.items_file and options.items_file.exists():
            place = shlex.quote(str(options.items_file))
            show.remark(f"finished items are in {place}; --items {place} --resume continues")
        raise
    if options.save_results:
        files = save_results(model, found)
        show.remark(f"saved in {model}: {', '.join(files)}")
    return found
