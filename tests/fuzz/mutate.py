"""Damage of every kind to bytes, drawn from a seeded generator."""

NUMBERS = [b"NaN", b"-inf", b"1e999", b"-1", b"0", b"1e308", b"4294967295", b"99999999999999999999",
           b"1.", b".5", b"0x10", b"1_0", b"\xd9\xa1"]  # the last is an Arabic one
TEXTS = [b"<b>", b"\x00", b"\xff\xfe", b"../..", b"$(x)", b"\r\n", b"\n", b"\"", b",", b";", b"\t",
         b"null", b"true", b"[]", b"{}", b"[[", b"}", b"2020-13-01", b"2020-02-30T25:61:00Z",
         b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"&a [*a]", b"!!python/object:os.system"]
WORDS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0"]


def mutated(data, rng):
    """A copy of the bytes with one to eight kinds of damage."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        rng.choice(DAMAGES)(data, rng.randrange(len(data) + 1), rng)
    return bytes(data)


def flip(data, at, rng):
    if at < len(data):
        data[at] ^= 1 << rng.randrange(8)


def overwrite(data, at, rng):
    word = rng.choice(WORDS + NUMBERS + TEXTS)
    data[at:at + len(word)] = word


def insert(data, at, rng):
    data[at:at] = rng.choice(WORDS + NUMBERS + TEXTS)


def cut(data, at, rng):
    del data[at:at + rng.choice((1, 2, 4, 40, 100000))]


def repeat(data, at, rng):
    piece = data[at:at + rng.randrange(1, 60)]
    data[at:at] = piece * rng.choice((1, 2, 50))


def replace_number(data, at, rng):
    """Another number in the place of one, where the bytes are text."""
    end = at
    while end < len(data) and data[end] in b"0123456789.eE+-":
        end += 1
    if end > at:
        data[at:end] = rng.choice(NUMBERS)


def move(data, at, rng):
    piece = data[at:at + rng.randrange(1, 40)]
    del data[at:at + len(piece)]
    data[rng.randrange(len(data) + 1):0] = piece


DAMAGES = (flip, flip, overwrite, insert, cut, repeat, replace_number, replace_number, move)
