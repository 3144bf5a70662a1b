"""Distillation settings: the section `[distill]`."""

from typing import Annotated

from msgspec import Meta, Struct

from .ranges import CountOrZero

Weight = Annotated[float, Meta(ge=0, le=1000)]


class DistillConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Knowledge distillation: teachers and loss weights; cross-entropy has weight 1."""

    teachers: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    """Run folders of the teachers, at least one; their probabilities are averaged."""
    kl_weight: Annotated[Weight, "per nat"] = 1.0
    """Weight of the KL divergence from the teachers' probabilities; 0 for none."""
    temperature: Annotated[float, Meta(ge=0.01, le=1000)] = 1.0
    """Temperature of the student's and teachers' softmax; the loss is multiplied by its square."""
    top_k: Annotated[CountOrZero, "ids"] = 0
    """The k likeliest ids are compared one by one, all others as one; 0 for all ids."""
    hidden_loss_weight: Weight = 0.0
    """Weight of predicting the first teacher's last hidden states, by 1 - cosine; 0 for none."""
