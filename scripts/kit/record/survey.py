"""What a log's readings look like as they pass: missing shares, suspected sentinels."""
import numpy as np

SENTINELS = np.array([  # what loggers write for "no reading"
    -9999, -999, -99, -9999.9, -999.9, -99.9, -9999.99, -999.99, -32768, -32767, -32766,
    -2147483648, -99999, -999999, 999, 9999, 99999, 999999, 9999.9, 999.9, 9999.99, 999.99,
    32767, 32766, 65535, 2147483647, 4294967295, 0, 850, 85, 127, -127, 255, 1e30, -1e30])
LEAST_ROWS = 100  # with a reading, before a range can be spoken of
COMMON = 0.5  # share of the readings; what is more frequent is the reading itself


class Survey:
    """Passes Blocks on and keeps, per channel, what `suspects` and `missing_shares` need."""

    def __init__(self, channels):
        n = len(channels)
        self.channels, self.rows = list(channels), 0
        self.known = np.zeros(n, np.int64)
        self.low, self.high = np.full(n, np.inf), np.full(n, -np.inf)  # of other values
        self.found = [{} for _ in channels]  # sentinel: [count, log's name, row of the first]

    def watch(self, blocks):
        """The blocks, once counted."""
        for block in blocks:
            self.add(block)
            yield block

    def add(self, block):
        """Count a block's rows."""
        values = block.values
        self.rows += len(values)
        self.known += (~np.isnan(values)).sum(axis=0)
        low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
        # a sentinel lies outside the range of readings, so that it is the extreme of its block
        odd = np.isin(low, SENTINELS) | np.isin(high, SENTINELS)
        for channel in np.flatnonzero(odd):
            column = values[:, channel]
            listed = np.isin(column, SENTINELS)
            for value in np.unique(column[listed]):
                at = np.flatnonzero(column == value)
                entry = self.found[channel].setdefault(
                    float(value), [0, block.name, block.row + int(at[0])])
                entry[0] += len(at)
            rest = column[~listed]
            low[channel], high[channel] = np.fmin.reduce(rest, initial=np.inf), np.fmax.reduce(
                rest, initial=-np.inf)
        self.low, self.high = np.fmin(self.low, low), np.fmax(self.high, high)

    def suspects(self):
        """[(channel, value, count, log's name, first row)]: values farther from all others than
        these are from one another, and a minority."""
        found = []
        for name, low, high, known, entries in zip(
                self.channels, self.low, self.high, self.known, self.found):
            if known < LEAST_ROWS or not low < high:
                continue
            for value, (count, log, row) in sorted(entries.items()):
                span = high - low
                if count < COMMON * known and (value < low - span or value > high + span):
                    found.append((name, value, count, log, row))
        return found

    def missing_shares(self):
        """{channel: share of the rows without a reading}, those above 0."""
        shares = 1 - self.known / max(self.rows, 1)
        return {name: share for name, share in zip(self.channels, shares) if share > 0}

    def sentences(self):
        """What there is to say, for the terminal."""
        said = []
        if self.missing_shares():
            said.append("missing readings: " + ", ".join(
                "%s %.3g %%" % (name, 100 * share)
                for name, share in self.missing_shares().items()))
        for name, value, count, log, row in self.suspects():
            said.append(
                "suspected: %s is %g in %d rows, first in row %d of %s, far from all other "
                "readings; if that stands for a missing one, set generate.log.missing: [%s]"
                % (name, value, count, row, log, "{%s: %g}" % (name, value) if value in (
                    0, 85, 127, 255) else "%g" % value))
        return said
