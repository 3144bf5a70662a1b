"""Distillation settings: the section `[distill]`."""

from typing import Annotated

from msgspec import Meta, Struct

from .ranges import CountOrZero

Weight = Annotated[float, Meta(ge=0, le=1000)]


class DistillConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Teachers and loss weights of distillation; the next token has weight 1."""

    teachers: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    """Run folders, at least one; the student follows the mean of their probabilities."""
    kl_weight: Annotated[Weight, "per nat"] = 1.0
    """Weight of the divergence from the teachers' probabilities; 0 for none."""
    temperature: Annotated[float, Meta(ge=0.01, le=1000)] = 1.0
    """Divisor of the logits of students and teachers; the loss is multiplied by its square."""
    top_k: Annotated[CountOrZero, "ids"] = 0
    """Likeliest ids compared one by one, all others as one; 0 for all ids."""
    hidden_loss_weight: Weight = 0.0
    """Weight of predicting the first teacher's last hidden rows, by 1 - cosine; 0 for none."""
