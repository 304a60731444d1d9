"""Weights of a network of one LSTM and one Dense layer, for the peers, which are written for it alone."""
import numpy as np

from kit.base.cli import UserError


def one_lstm(network, path):
    """(LSTM, Dense) of the network; UserError when it is another one."""
    class_names = [layer.class_name for layer in network.layers]
    if class_names != ["LSTM", "Dense"]:
        raise UserError("%s: the peers are written for one LSTM and one Dense layer, not for %s"
                        % (path, ", ".join(class_names)))
    return network.layers


def write_weights(layers, path):
    """Write the arrays of (LSTM, Dense) to an .npz: kernel, recurrent, bias, dense, dense_bias."""
    kernels = [layer.weights["kernel"] for layer in layers]
    biases = [layer.weights.get("bias", np.zeros(kernel.shape[1], np.float32))
              for layer, kernel in zip(layers, kernels)]
    np.savez(path, kernel=kernels[0], recurrent=layers[0].weights["recurrent"], bias=biases[0],
             dense=kernels[1], dense_bias=biases[1])
