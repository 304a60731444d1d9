"""The compiled scorer has the bits of the one it stands for."""
import numpy as np
import pytest

from fleets import detectors
from kit.detection.scores import Scorer
from kit.fleet import kernels
from kit.record.windows import Scaler


def blocks(rng, channels, sizes, missing, spread):
    for size in sizes:
        samples = rng.standard_normal((size, channels)).astype(np.float32)
        outputs = samples + spread * rng.standard_normal(samples.shape).astype(np.float32)
        samples[rng.random(samples.shape) < missing] = np.nan
        yield samples, outputs


@pytest.mark.parametrize("missing, spread", [(0, 0.1), (0, 1.5), (0.01, 0.3), (0.5, 0.2)])
@pytest.mark.parametrize("left_out", [(), ("plane",), ("plane", "level")])
def test_the_same_scores_and_states_bit_for_bit(missing, spread, left_out):
    detector = {key: value for key, value in detectors()["step_int8"].items() if key not in left_out}
    compiled, plain = kernels.scorer_of(detector), Scorer(detector)
    assert isinstance(compiled, kernels.CompiledScorer)
    rng = np.random.default_rng(len(left_out))
    for samples, outputs in blocks(rng, 7, (1, 300, 2, 1024, 77), missing, spread):
        assert compiled.update(samples, outputs).tobytes() == plain.update(samples, outputs).tobytes()
        assert len(compiled.evidence) == len(samples)
        for key, value in plain.state.items():
            assert compiled.state[key].tobytes() == value.tobytes(), key


@pytest.mark.parametrize("change", [
    lambda fitted: fitted["clip"].__setitem__(2, 20.0),  # a switch: a unit of its own
    lambda fitted: fitted.update({key: fitted[key][:1] for key in ("centres", "inverse_covariances")})])
def test_other_detectors_have_the_same_bits(change):
    detector = detectors()["step_int8"]
    change(detector["residual"])
    compiled, plain, rng = kernels.scorer_of(detector), Scorer(detector), np.random.default_rng(0)
    for samples, outputs in blocks(rng, 7, (400, 300), 0.01, 3):
        assert compiled.update(samples, outputs).tobytes() == plain.update(samples, outputs).tobytes()


def test_evidence_names_what_said_most():
    compiled = kernels.scorer_of(detectors()["step_int8"])
    samples = np.zeros((40, 7), np.float32)
    samples[20:30] = np.nan
    compiled.update(samples, samples * 0)
    assert kernels.ASPECTS[compiled.evidence[29]] == "missing"


def test_the_check_sees_another_bit(monkeypatch):
    rng = np.random.Generator(np.random.PCG64(0))
    scaler = Scaler(list("abcdefg"), rng.standard_normal(7), np.full(7, 2.0))
    assert kernels.check(kernels.scorer_of(detectors()["step_int8"]), scaler, rng)
    monkeypatch.setattr(kernels, "distances", lambda held, matrix: np.full(len(held), 2.0))
    assert not kernels.check(kernels.scorer_of(detectors()["step_int8"]), scaler, rng)


def test_other_evidence_goes_to_the_plain_scorer():
    detector = detectors()["step_int8"]
    detector["residual"]["powers"] = [3.0] * len(detector["residual"]["powers"])
    assert type(kernels.scorer_of(detector)) is Scorer
