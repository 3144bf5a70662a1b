"""Scaling laws: loss as a function of parameters and tokens, fitted with intervals; numpy alone."""

from .derived import Derived, derived_quantities
from .fit import DataFit, fit_data_scaling
from .joint import JointFit, fit_joint_scaling
from .law import CHINCHILLA, DataLaw, Interval, JointLaw

__all__ = [
    "CHINCHILLA",
    "DataFit",
    "DataLaw",
    "Derived",
    "Interval",
    "JointFit",
    "JointLaw",
    "derived_quantities",
    "fit_data_scaling",
    "fit_joint_scaling",
]
