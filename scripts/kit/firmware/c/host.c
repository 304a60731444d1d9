#include "host.h"

#include <stdio.h>

static FILE *input, *output;

int host_open(const char *reads, const char *writes)
{
    input = fopen(reads, "rb");
    output = fopen(writes, "wb");
    return !input || !output;
}

int host_read(void *into, int bytes)
{
    return (int)fread(into, 1, (size_t)bytes, input);
}

int host_write(const void *from, int bytes)
{
    return fwrite(from, 1, (size_t)bytes, output) != (size_t)bytes;
}

int host_close(void)
{
    return fclose(output) != 0;
}
