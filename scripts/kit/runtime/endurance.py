"""What a step model does over very many samples: drift, saturated states, how long it remembers.

A stream model carries its states for as long as the device runs, and no test of some thousand
samples sees what builds up. Here it runs beside the float model on the record over and over, on
input that a broken sensor gives, and on the record again: an error that grew shows in the last
phase beside the first.
"""
import numpy as np

PIECE = 2000  # samples between two looks at the clock
LOOK = 16  # samples from one look at the states to the next
FORGET_TRIALS, FORGET_SAMPLES = 32, 2000
NEAR = 1e-3  # standard deviations of the output: a start that moves it by less is forgotten
GROWN = 1.5  # times the first phase's error: more is a drift
PHASES = ("record", "constant", "zero", "saturated", "noise", "record again")


class Soak:
    """A step model beside its float reference over `total` samples.

    record : (n, C) samples in the model's units
    """

    def __init__(self, model, reference, record, total, seed=0):
        self.model, self.reference, self.record = model, reference, record
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._pieces = max(10, total // PIECE)
        self.size = -(-total // self._pieces)
        self.done, self._at = 0, 0
        self.errors = {phase: [] for phase in PHASES}  # of each piece, mean absolute difference
        self.std = float(np.std(reference.stream(record[:PIECE]).astype(np.float64))) or 1.0
        reference.reset()
        model.reset()
        self.looks, self.full = 0, [0.0 for _ in model.state]

    @property
    def pieces(self):
        return self._pieces

    def piece(self):
        """Run the next piece; the phase it was of."""
        phase = self.phase(self.done)
        samples = self._samples(phase)
        expected = self.reference.stream(samples)
        found = []
        for start in range(0, len(samples), LOOK):
            found.append(self.model.stream(samples[start:start + LOOK]))
            self._look()
        self.errors[phase].append(float(np.abs(
            np.concatenate(found).astype(np.float64) - expected).mean()))
        self.done += 1
        return phase

    def phase(self, number):
        """The phase of piece `number`: the record at both ends, a tenth for each of the others."""
        return PHASES[int(np.searchsorted((0.4, 0.5, 0.6, 0.7, 0.8), number / self._pieces,
                                          side="right"))]

    def _samples(self, phase):
        shape = (self.size, self.record.shape[1])
        if phase == "constant":
            return np.repeat(self.record[-1:], self.size, 0)
        if phase == "zero":
            return np.zeros(shape, np.float32)
        if phase == "saturated":
            return np.full(shape, 1e3, np.float32) * self._rng.choice([-1, 1], (1, shape[1])).astype(
                np.float32)
        if phase == "noise":
            return self._rng.standard_normal(shape, np.float32) * np.float32(3)
        rows = (self._at + np.arange(self.size)) % len(self.record)
        self._at = int(rows[-1]) + 1
        return self.record[rows]

    def _look(self):
        self.looks += 1
        for number, state in enumerate(self.model.state):
            self.full[number] += saturated(state)

    def found(self):
        """The result, as soak writes it."""
        errors = {phase: float("%.3g" % (np.mean(values) / self.std))
                  for phase, values in self.errors.items() if values}
        first, last = errors[PHASES[0]], errors[PHASES[-1]]
        forget = forgotten_after(self.model, self.record, self._rng, first)
        return {"samples": self.done * self.size, "error_of_std": errors,
                "saturated_states": [float("%.3g" % (full / self.looks)) for full in self.full],
                "forgotten_after_samples": forget, "advice": advice(first, last, forget)}


def saturated(state):
    """The share of a state's values that stand at the end of their type; 0 for float."""
    if state.dtype.kind == "f":
        return 0.0
    limits = np.iinfo(state.dtype)
    return float(np.mean((state == limits.min) | (state == limits.max)))


def forgotten_after(model, record, rng, error=0.0):
    """Samples until an arbitrary state has no part in the output any more; None where it stays.

    States are drawn from as far as their type goes. The mean difference to a start from the zero
    state, over the draws and the next LOOK samples, must stay within NEAR, or within twice the
    file's own error to the float model: integers round differently for ever after another start,
    and two runs that each are that near to the float model are at most twice as far from each other.

    error : of the file, mean, in standard deviations of the output
    """
    samples = record[:FORGET_SAMPLES]
    model.reset()
    plain = model.stream(samples)
    held, apart = model.state, np.zeros(len(samples))
    for _ in range(FORGET_TRIALS):
        model.state = [_drawn(state, rng) for state in held]
        difference = np.abs(model.stream(samples).astype(np.float64) - plain)
        apart += difference.reshape(len(samples), -1).mean(1) / FORGET_TRIALS
    model.reset()
    apart = np.convolve(apart, np.full(LOOK, 1 / LOOK), "valid")
    seen = apart > max(NEAR, 2 * error) * float(np.std(plain.astype(np.float64)))
    if seen[-(len(samples) // 10):].any():
        return None
    return int(np.flatnonzero(seen)[-1]) + 1 if seen.any() else 0


def _drawn(state, rng):
    if state.dtype.kind == "f":
        return rng.uniform(-3, 3, state.shape).astype(state.dtype)
    limits = np.iinfo(state.dtype)
    return rng.integers(limits.min, limits.max, state.shape, state.dtype, endpoint=True)


def advice(first, last, forget):
    """One sentence for who runs it for years."""
    if forget is None:
        return "reset the states at known times: an arbitrary state was not forgotten"
    if last > GROWN * first:
        return "reset the states at known times: the error grew %.2g times" % (last / first)
    return "no reset is needed; after a start, leave %d samples out" % forget
