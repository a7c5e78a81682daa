"""Layers of cells as one value: stacked, in both directions, with residuals and dropout."""

from derive.networks.layers import Layer, Pass
from derive.networks.network import Network
from derive.networks.reading import parse_network
from derive.networks.wiring import Wired, Wiring

__all__ = ["Layer", "Network", "Pass", "Wired", "Wiring", "parse_network"]
