"""The network and the training of the stage `train` in torch; runs in .venv-torch.

A command of kit.bench.worker: what Keras' fit does in an epoch, the loss of the validation part included.
"""
import time

import numpy as np


def train(data, units, batch_size, learning_rate, epochs, threads, seed):
    """{"seconds": [per epoch], "mse": [of the validation part after each], "torch": its version}.

    data : .npz with windows (n, n_steps, C), wanted (n, C), and both of the validation part as
           validation_windows and validation_wanted
    threads : how many torch may use
    """
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    arrays = np.load(data)
    windows, wanted, validation_windows, validation_wanted = (
        torch.from_numpy(arrays[name]) for name in
        ("windows", "wanted", "validation_windows", "validation_wanted"))
    channels = windows.shape[2]
    lstm = torch.nn.LSTM(channels, units, batch_first=True)
    dense = torch.nn.Linear(units, channels)
    adam = torch.optim.Adam([*lstm.parameters(), *dense.parameters()], learning_rate)
    loss = torch.nn.functional.mse_loss

    def forecast(batch):
        return dense(lstm(batch)[0][:, -1])  # (n, n_steps, C) -> (n, C)

    seconds, errors = [], []
    for _ in range(epochs):
        started = time.monotonic()
        for rows in torch.randperm(len(windows)).split(batch_size):
            adam.zero_grad()
            loss(forecast(windows[rows]), wanted[rows]).backward()
            adam.step()
        with torch.no_grad():
            squares = sum(loss(forecast(x), y, reduction="sum").item() for x, y in zip(
                validation_windows.split(batch_size), validation_wanted.split(batch_size)))
        seconds.append(time.monotonic() - started)
        errors.append(squares / validation_wanted.numel())
    return {"seconds": seconds, "mse": errors, "torch": torch.__version__}


COMMANDS = {"train": train}
