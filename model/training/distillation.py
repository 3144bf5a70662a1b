"""Knowledge distillation: a student learns from teachers and the next token.

Hinton et al. 2015 (arXiv:1503.02531). The teachers' logits are computed for one chunk of rows at a
time, as the student's are. A teacher reads the student's windows in evaluation mode and gets no
gradient. The hidden states of the first teacher are predicted as in JEPA, at the same position.
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

# Reported losses: nats of KL divergence at the temperature, and 1 - cosine of hidden states.
DISTILL_LOSSES = ("distill_loss", "distill_hidden_loss")
KL, HIDDEN = range(len(DISTILL_LOSSES))
HEAD = "teacher_head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """Distillation: teachers, and the projection of the student's hidden states to theirs."""

    config: DistillConfig
    teachers: list[LanguageModel]
    backbones: list[Callable[[Tensor], Tensor]]
    """Backbones of the teachers, perhaps compiled."""
    head: nn.Linear | None
    """Projection of the student's hidden states [..., D] to the first teacher's [..., E]."""


def init_distillation(
    config: Config, student: LanguageModel, teachers: Sequence[LanguageModel]
) -> Distillation | None:
    """Set up distillation; None without a section `[distill]`.

    Raises:
        SpikeError: there are not as many teachers as the section names, or one is incompatible.
    """
    settings = config.distill
    named = len(settings.teachers) if settings else 0
    if len(teachers) != named:
        raise SpikeError(
            f"distill.teachers: {named} are named, and {len(teachers)} were passed; pass each one"
        )
    if settings is None:
        return None
    for folder, teacher in zip(settings.teachers, teachers, strict=True):
        check_compatible(folder, teacher, config, student.vocab_size)
    head = None
    if settings.hidden_loss_weight:
        head = init_projection(student, teachers[0], config.train.seed)
    return Distillation(
        config=settings, teachers=[*teachers], backbones=[t.backbone for t in teachers], head=head
    )


def init_projection(student: LanguageModel, teacher: LanguageModel, seed: int) -> nn.Linear:
    """Return a projection of the student's hidden states [..., D] to the teacher's [..., E].

    Its weights have a standard deviation of 1 / √D. It has its own random generator, so that
    students with and without it have equal initial weights.
    """
    dim, device = student.config.dim, student.device
    with torch.random.fork_rng(devices=[]):
        head = nn.Linear(dim, teacher.config.dim, bias=False)
    nn.init.normal_(head.weight, 0.0, dim**-0.5, generator=per_parameter_generator(seed, HEAD))
    return head.to(device)


def check_compatible(folder: str, teacher: LanguageModel, config: Config, vocab_size: int) -> None:
    """Check that a teacher can read the student's windows.

    Args:
        folder: of the teacher, for messages.
        teacher: the model.
        config: of the student.
        vocab_size: of the student.

    Raises:
        SpikeError: its context is shorter, or its vocabulary size another.
    """
    context, ids = teacher.config.context, teacher.vocab_size
    if context < config.model.context:
        raise SpikeError(
            f"{folder}: the teacher's context of {context} is shorter than model.context = "
            f"{config.model.context}; lower that or use another teacher"
        )
    if ids != vocab_size:
        raise SpikeError(
            f"{folder}: the teacher has {ids} ids, the student {vocab_size}; use another teacher"
        )


def head_parameters(distillation: Distillation | None) -> dict[str, nn.Parameter]:
    """Return the parameters of the projection, which train with the student's, by name."""
    if distillation is None or distillation.head is None:
        return {}
    return {f"{HEAD}.{name}": p for name, p in distillation.head.named_parameters()}


def active_teachers(distillation: Distillation) -> list[LanguageModel]:
    """Return the teachers that must run: all, for hidden states alone the first, or none."""
    if distillation.config.kl_weight:
        return distillation.teachers
    return [] if distillation.head is None else distillation.teachers[:1]


def teacher_forward(
    distillation: Distillation | None, ids: Tensor, sums: Tensor
) -> DistillationTerm | None:
    """Run the teachers on ids [B, T]; return the distillation term of the loss, if any.

    Args:
        distillation: None for none.
        ids: the student's input.
        sums: for each of DISTILL_LOSSES its unweighted sum and its count, float64 [2, 2]; is
            updated.
    """
    if distillation is None or not active_teachers(distillation):
        return None
    config, head = distillation.config, distillation.head
    teachers, backbones = active_teachers(distillation), distillation.backbones
    with torch.no_grad():
        teacher_states = [backbone(ids) for backbone, _ in zip(backbones, teachers, strict=False)]

    def add(loss: int, values: Tensor) -> Tensor:
        total = values.sum()
        sums[loss, 0] += total.detach()
        sums[loss, 1] += values.numel()
        return total

    def loss_of(rows: Tensor, logits: Tensor, *states: Tensor) -> Tensor:
        loss = torch.zeros((), device=rows.device)
        if config.kl_weight:
            with torch.no_grad():
                theirs = [teacher.logits(s) for teacher, s in zip(teachers, states, strict=True)]
            nats = kl_divergence(logits, theirs, temperature=config.temperature, top_k=config.top_k)
            loss = loss + config.kl_weight * config.temperature**2 * add(KL, nats)
        if head is not None:
            distances = cosine_distance(head(rows), states[0])
            loss = loss + config.hidden_loss_weight * add(HIDDEN, distances)
        return loss

    return DistillationTerm(row_data=teacher_states, loss_of=loss_of)
