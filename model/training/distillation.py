"""Knowledge distillation: a student learns from teachers and the next token.

Hinton et al. 2015 (arXiv:1503.02531). For each slice of rows the teachers' output layers are
evaluated again, so that no more of their logits is held than of the student's. A teacher reads the
student's windows in evaluation mode; no gradient reaches it. Hidden rows are predicted as in JEPA:
those of the first teacher, at the same place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spiketok.errors import SpikeError

from ..chunked_backward import DistillationTerm
from ..config.distillation import DistillConfig
from ..config.schema import Config
from ..families.initialization import per_parameter_generator
from ..families.language_model import LanguageModel
from ..layers.jepa import cosine_distance
from .distillation_kl import kl_divergence

# Reported apart: nats of divergence at the temperature, and 1 - cosine of hidden rows.
DISTILL_LOSSES = ("distill_loss", "distill_hidden_loss")
KL, HIDDEN = range(len(DISTILL_LOSSES))
HEAD = "teacher_head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """Teachers, and the projection of the student's rows to theirs."""

    config: DistillConfig
    teachers: list[LanguageModel]
    backbones: list[Callable[[Tensor], Tensor]]
    """Their backbones, perhaps compiled."""
    head: nn.Linear | None
    """Projection of the student's hidden rows [..., D] to the first teacher's [..., E]."""


def init_distillation(
    config: Config, student: LanguageModel, teachers: Sequence[LanguageModel]
) -> Distillation | None:
    """Return the initial distillation; None where there is no section `[distill]`.

    Raises:
        SpikeError: there are not as many teachers as the section names, or one does not fit.
    """
    wanted = config.distill
    named = len(wanted.teachers) if wanted else 0
    if len(teachers) != named:
        raise SpikeError(f"distill.teachers: {named} are named, and {len(teachers)} were given")
    if wanted is None:
        return None
    for folder, teacher in zip(wanted.teachers, teachers, strict=True):
        check_compatible(folder, teacher, config, student.vocab_size)
    head = None
    if wanted.hidden_loss_weight:
        head = init_projection(student, teachers[0], config.train.seed)
    return Distillation(
        config=wanted, teachers=[*teachers], backbones=[t.backbone for t in teachers], head=head
    )


def init_projection(student: LanguageModel, teacher: LanguageModel, seed: int) -> nn.Linear:
    """Return a projection of the student's rows [..., D] to the teacher's, with deviation 1 / √D.

    It has its own random generator, so that students with and without it start from equal numbers.
    """
    dim, device = student.config.dim, student.device
    with torch.random.fork_rng(devices=[]):
        head = nn.Linear(dim, teacher.config.dim, bias=False)
    nn.init.normal_(head.weight, 0.0, dim**-0.5, generator=per_parameter_generator(seed, HEAD))
    return head.to(device)


def check_compatible(folder: str, teacher: LanguageModel, config: Config, vocab_size: int) -> None:
    """Raise for a teacher that cannot read the student's windows.

    Raises:
        SpikeError: its context is shorter, or it has another number of ids.
    """
    context, ids = teacher.config.context, teacher.vocab_size
    if context < config.model.context:
        raise SpikeError(
            f"{folder}: this teacher reads {context} tokens, fewer than model.context = "
            f"{config.model.context}; lower that or take another teacher"
        )
    if ids != vocab_size:
        raise SpikeError(f"{folder}: this teacher knows {ids} ids, the student {vocab_size}")


def head_parameters(teaching: Distillation | None) -> dict[str, nn.Parameter]:
    """Return the parameters that train beside the student's own, by name."""
    if teaching is None or teaching.head is None:
        return {}
    return {f"{HEAD}.{name}": p for name, p in teaching.head.named_parameters()}


def active_teachers(teaching: Distillation) -> list[LanguageModel]:
    """Return the teachers that must run: all, for hidden rows alone the first, or none."""
    if teaching.config.kl_weight:
        return teaching.teachers
    return [] if teaching.head is None else teaching.teachers[:1]


def teacher_forward(
    teaching: Distillation | None, ids: Tensor, sums: Tensor
) -> DistillationTerm | None:
    """Run the teachers on ids [B, T]; return the distillation term of the loss, if any.

    Args:
        teaching: None for no distillation.
        ids: what the student reads.
        sums: for each of DISTILL_LOSSES its unweighted sum and its count, float64 [2, 2]; is
            added to.
    """
    if teaching is None or not active_teachers(teaching):
        return None
    config, head, asked = teaching.config, teaching.head, active_teachers(teaching)
    with torch.no_grad():
        said = [backbone(ids) for backbone, _ in zip(teaching.backbones, asked, strict=False)]

    def add(lesson: int, values: Tensor) -> Tensor:
        total = values.sum()
        sums[lesson, 0] += total.detach()
        sums[lesson, 1] += values.numel()
        return total

    def loss_of(rows: Tensor, logits: Tensor, *taught: Tensor) -> Tensor:
        loss = torch.zeros((), device=rows.device)
        if config.kl_weight:
            with torch.no_grad():
                theirs = [teacher.logits(t) for teacher, t in zip(asked, taught, strict=True)]
            nats = kl_divergence(logits, theirs, temperature=config.temperature, top_k=config.top_k)
            loss = loss + config.kl_weight * config.temperature**2 * add(KL, nats)
        if head is not None:
            distances = cosine_distance(head(rows), taught[0])
            loss = loss + config.hidden_loss_weight * add(HIDDEN, distances)
        return loss

    return DistillationTerm(beside=said, loss_of=loss_of)
