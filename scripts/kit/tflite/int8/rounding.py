"""Weights in int8: each rounding error is carried over to what is not yet rounded."""
import numpy as np

LIMIT = 127


def step_of(weights):
    """The scale of int8 weights: symmetric, one per tensor."""
    return float(np.float32(max(np.abs(weights).max(), 1e-6) / LIMIT))


def round_weights(weights, step, rows, damping=0.01):
    """Weights (out, in) as int8 steps, each column's rounding error carried to those after it.

    rows : (n, in) inputs on calibration data. With H = rows'rows / n + damping and U the upper
    Cholesky factor of its inverse, column i's error e_i = (w_i - q_i) / U_ii moves the later
    columns by -e_i U_i: Frantar et al. 2022 (arXiv 2210.17323), eq. 2 and 3, in the Cholesky form
    of their section 3.
    """
    rows = rows.astype(np.float64)
    hessian = rows.T @ rows / len(rows)  # (in, in)
    hessian[np.diag_indices_from(hessian)] += damping * max(np.diag(hessian).mean(), 1e-9)
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    left, found = weights.astype(np.float64).T / step, np.empty(weights.shape[::-1], np.int8)
    for column in range(len(left)):
        found[column] = np.clip(np.rint(left[column]), -LIMIT, LIMIT)
        error = (left[column] - found[column]) / upper[column, column]
        left[column:] -= np.outer(upper[column, column:], error)
    return np.ascontiguousarray(found.T)


def mean_loss(weights, rounded, rows, seen):
    """What a product (out,) loses in the mean when weights (out, in) and inputs (n, in) are rounded
    to `rounded` and `seen`."""
    return rows.mean(0, dtype=np.float64) @ weights.T - seen.mean(0) @ rounded.T
