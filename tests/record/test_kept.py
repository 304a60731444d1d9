import os
import pickle

import numpy as np

from kit.record.kept import shelf


def test_rows_are_what_was_put_also_in_another_process():
    array = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
    with shelf() as kept_in:
        kept = pickle.loads(pickle.dumps(kept_in.put(array)))
        assert (kept[:] == array).all() and (kept[2:5] == array[2:5]).all()
        assert kept[4:2].shape == (0, 2, 2) and kept[4:99].shape == (2, 2, 2)
        kept[1:3] = -array[1:3]
        assert (kept[:4] == np.concatenate([array[:1], -array[1:3], array[3:4]])).all()
        assert (len(kept), kept.shape, kept.dtype) == (6, (6, 2, 2), np.float32)
    assert not os.path.exists(kept.path)


def test_new_rows_are_zeros():
    with shelf() as kept_in:
        one, other = kept_in.new((3,), float), kept_in.new((2, 2))
        one[1:] = np.nan
        assert one[:1] == 0 and np.isnan(one[1:]).all() and not other[:].any()
