"""Scaling laws: loss as a function of parameters and tokens, fitted with intervals; numpy alone."""

from .coupled import CoupledFit, CoupledLaw, fit_coupled_scaling
from .derived import Derived, derived_quantities
from .fit import DataFit, fit_data_scaling
from .joint import JointFit, fit_joint_scaling
from .law import CHINCHILLA, DataLaw, Interval, JointLaw

__all__ = [
    "CHINCHILLA",
    "CoupledFit",
    "CoupledLaw",
    "DataFit",
    "DataLaw",
    "Derived",
    "Interval",
    "JointFit",
    "JointLaw",
    "derived_quantities",
    "fit_coupled_scaling",
    "fit_data_scaling",
    "fit_joint_scaling",
]
