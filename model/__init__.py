"""Trains and scores small language models; this façade needs no torch, its sub-packages do.

`model.config` says what to train, `model.transformer` what a model is, `model.training` trains one
into a run folder, `model.run_folder` opens that folder and `model.evaluation` scores and samples.
"""

from .config import Config, ModelConfig
from .configuration_file import (
    config_fingerprint,
    dump_config,
    load_config,
    parse_config,
    preset_names,
)

__all__ = [
    "Config",
    "ModelConfig",
    "config_fingerprint",
    "dump_config",
    "load_config",
    "parse_config",
    "preset_names",
]
