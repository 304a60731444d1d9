"""Every kind of layer by its name in Keras: what the reader, the shapes and the forms ask."""
from kit.network.layers import (activations, attention, convolution, dense, lookup, merge,
                                normalisation, recurrent, shape, wrappers)

KINDS = {}
for _module in (recurrent, wrappers, dense, lookup, convolution, merge, attention, normalisation,
                activations, shape):
    KINDS.update(_module.KINDS)
