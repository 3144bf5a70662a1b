"""Prediction from probe runs: the loss of a planned training, its interval, and the best size."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import interval_of
from .coupled import CoupledFit, fit_coupled_scaling
from .design import ModelSize
from .law import Interval
from .nonnegative import Array, solve_least_squares
from .pair_search import FEWEST_RUNS

# Noise of a single run that the interval counts at least: another seed moves the final loss so.
LEAST_NOISE = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFit:
    """Law of probe runs, and how well it predicts longer runs.

    Attributes:
        coupled: the fit to all probes.
        held_out_error: root mean square of the relative errors of the longest probe of each size,
            predicted from the shorter ones; None where too few would be left.
        held_out_ratio: how many times longer those probes are than the longest of the shorter.
        largest: parameters times tokens of the largest probe.
    """

    coupled: CoupledFit
    held_out_error: float | None
    held_out_ratio: float
    largest: float

    def noise(self, parameters: float, tokens: float) -> float:
        """Return the standard deviation of a run's relative error, the law's own one apart.

        The error of the held-out probes is assumed to grow with the logarithm of the compute
        beyond the largest probe; another seed adds the noise of a run.

        Args:
            parameters: N.
            tokens: D.
        """
        known = max(self.coupled.noise, LEAST_NOISE)
        beyond = max(1.0, parameters * tokens / self.largest)
        steps = math.log(beyond) / math.log(self.held_out_ratio)
        return math.hypot(known, (self.held_out_error or 0.0) * steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Predicted validation loss of a training, in nats per token."""

    loss: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Model size and tokens for a time budget.

    Attributes:
        size: of the model.
        tokens: D of its training in the time.
        tokens_per_second: of its training.
        prediction: of the validation loss.
    """

    size: ModelSize
    tokens: float
    tokens_per_second: float
    prediction: Prediction


def fit_probes(parameters: Array, tokens: Array, losses: Array) -> ProbeFit:
    """Fit probes, and predict each size's longest probe from the shorter ones.

    Args:
        parameters: N of each probe, [n].
        tokens: D of each probe, [n].
        losses: final validation loss of each in nats per token, [n].

    Raises:
        SpikeError: a loss is not finite, or there are too few probes, sizes or lengths.
    """
    coupled = fit_coupled_scaling(parameters, tokens, losses, origin="probes")
    of_size = [tokens[parameters == size] for size in parameters]
    ends, starts = (np.array([end(part) for part in of_size]) for end in (np.max, np.min))
    longest = (tokens == ends) & (starts < ends)
    rest = ~longest
    error, ratio = None, 2.0
    if rest.sum() >= FEWEST_RUNS:
        shorter = fit_coupled_scaling(
            parameters[rest], tokens[rest], losses[rest], replicates=1, origin="probes"
        )
        fitted = shorter.law.loss(parameters[longest], tokens[longest])
        error = float(np.sqrt(((fitted / losses[longest] - 1) ** 2).mean()))
        before = [tokens[rest & (parameters == size)].max() for size in parameters[longest]]
        ratio = float(np.exp(np.log(tokens[longest] / np.array(before)).mean()))
    return ProbeFit(
        coupled=coupled,
        held_out_error=error,
        held_out_ratio=ratio,
        largest=float((parameters * tokens).max()),
    )


def predicted(fit: ProbeFit, parameters: float, tokens: float, seed: int = 0) -> Prediction:
    """Predict the loss of a run: the law's, and a 95 % interval.

    The interval has the uncertainty of the parameters, by bootstrap, the noise of a new run, and
    the error of extrapolation.

    Args:
        fit: of the probes.
        parameters: N.
        tokens: D.
        seed: of the noise.
    """
    replicates = fit.coupled.predictions(parameters, tokens)
    # Many noises for each sample, so that the interval does not depend on the seed.
    noise = np.random.default_rng(seed).standard_normal((64, len(replicates)))
    return Prediction(
        loss=fit.coupled.law.loss(parameters, tokens),
        interval=interval_of((replicates * (1 + fit.noise(parameters, tokens) * noise)).ravel()),
    )


def seconds_per_token(sizes: Sequence[ModelSize], speeds: Array) -> Callable[[ModelSize], float]:
    """Return the time of a token of any size: a constant, and a part proportional to its FLOPs.

    Args:
        sizes: of measured runs.
        speeds: tokens per second of each, [n].
    """
    flops = np.array([size.flops_per_token for size in sizes], np.float64)
    # Relative errors count, so both sides are divided by the measured time.
    features = np.stack([speeds, flops * speeds], axis=1)[None]
    constant, rate = solve_least_squares(
        features, np.ones((1, len(flops))), np.ones((1, len(flops)))
    )[0]
    return lambda size: float(constant + rate * size.flops_per_token)


def best_size(
    fit: ProbeFit,
    sizes: Sequence[ModelSize],
    time_of: Callable[[ModelSize], float],
    seconds: float,
) -> Choice:
    """Return the size with the least predicted loss in a time.

    Args:
        fit: of the probes.
        sizes: to choose from.
        time_of: seconds of a token.
        seconds: of the training.
    """
    law = fit.coupled.law
    best = min(sizes, key=lambda size: law.loss(size.parameters, seconds / time_of(size)))
    tokens = seconds / time_of(best)
    return Choice(
        size=best,
        tokens=tokens,
        tokens_per_second=1 / time_of(best),
        prediction=predicted(fit, best.parameters, tokens),
    )
