"""Weights of a network of one LSTM and one Dense layer, for the peers, which are written for it alone."""
import numpy as np

from kit.base.cli import UserError


def one_lstm(network, path):
    """(LSTM, Dense) of the network; UserError when it is another one."""
    kinds = [layer.kind for layer in network.layers]
    if kinds != ["LSTM", "Dense"]:
        raise UserError("%s: the peers are written for one LSTM and one Dense layer, not for %s"
                        % (path, ", ".join(kinds)))
    return network.layers


def write_weights(layers, path):
    """Write the arrays of (LSTM, Dense) to an .npz: kernel, recurrent, bias, dense, dense_bias."""
    lstm, dense = layers
    np.savez(path, kernel=lstm.weights["kernel"], recurrent=lstm.weights["recurrent"],
             bias=lstm.weights["bias"], dense=dense.weights["kernel"],
             dense_bias=dense.weights["bias"])
