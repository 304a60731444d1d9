"""The handler of every class of layers, by its name in Keras: what the reader and the forms ask."""
from kit.network.layers import (activations, attention, convolution, dense, lookup, merge,
                                normalisation, recurrent, shape, wrappers)

HANDLERS = {}
for _module in (recurrent, wrappers, dense, lookup, convolution, merge, attention, normalisation,
                activations, shape):
    HANDLERS.update(_module.HANDLERS)
