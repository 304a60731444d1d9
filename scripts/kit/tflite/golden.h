static inline uint32_t @name@_crc32(uint32_t crc, const void *data, uint32_t size) {
    const uint8_t *bytes = (const uint8_t *)data;
    for (uint32_t at = 0; at < size; at++) {
        crc ^= bytes[at];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return crc;
}

/* Runs the golden stream: @NAME@_GOLDEN_CRC32, where an interpreter computes every bit of it.
 * step: one sample in, the output out, the states kept for the next; reset: states to their zero
 * points; state: state 0, 1, ... as it is now. On a little-endian core. */
static inline uint32_t @name@_golden_crc32(
        void (*step)(const @type@ *sample, @type@ *output), void (*reset)(void),
        const @type@ *(*state)(int number)) {
    static const int sizes[@states@] = {@sizes@};
    @type@ outputs[@NAME@_GOLDEN_SAMPLES * @output@], held[2][@held@];
    uint32_t crc = 0xffffffffu;
    reset();
    for (int at = 0; at <= @NAME@_GOLDEN_SAMPLES; at++) {
        if (at == @NAME@_GOLDEN_RESET || at == @NAME@_GOLDEN_SAMPLES) {
            @type@ *to = held[at == @NAME@_GOLDEN_SAMPLES];
            for (int number = 0; number < @states@; number++)
                for (int place = 0; place < sizes[number]; place++)
                    *to++ = state(number)[place];
        }
        if (at == @NAME@_GOLDEN_RESET)
            reset();
        if (at < @NAME@_GOLDEN_SAMPLES)
            step(@name@_golden_inputs + at * @input@, outputs + at * @output@);
    }
    crc = @name@_crc32(crc, outputs, sizeof outputs);
    return ~@name@_crc32(crc, held, sizeof held);
}
