"""What the master and every other process of gromoxd share; imports neither `workers` nor `store`."""

__version__ = "0.1.0"
