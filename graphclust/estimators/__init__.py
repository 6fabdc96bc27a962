"""The neural methods as estimators: here a model meets its training, and a graph or a table of features."""

from graphclust.estimators.acp import ACP, ACPS, CCP, NCP
from graphclust.estimators.clam import CLAM
from graphclust.estimators.cnc import CNC
from graphclust.estimators.lnscc import LNSCC

__all__ = ["ACP", "ACPS", "CCP", "CLAM", "CNC", "LNSCC", "NCP"]
