/* Instructions and stack of the detector, on an emulated core that counts them.

   reads  samples.bin   rows of float32 in the channels' units, the first ROWS are taken
   writes results.bin   float64: per sample, instructions of the network, of all; bytes of stack */
#include "NAME.c"
#include "host.h"

#define ROWS 128
#define DEPTH 8192
#define LOOPS 100000

static NAME_state state;
static float rows[ROWS][C];

#ifdef __riscv
static void clock_start(void)
{
}

static double clock_now(void)
{
    uint32_t count;

    __asm__ volatile("csrr %0, minstret" : "=r"(count));
    return (double)count;
}
#else
#define SYSTICK ((volatile uint32_t *)0xe000e010u)

static void clock_start(void)
{
    SYSTICK[1] = 0xffffffu;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
    while (SYSTICK[2] == 0)
        ;
}

static double clock_now(void)
{
    return (double)(0x1000000u - SYSTICK[2]);
}
#endif

/* So many rounds of two instructions: what a tick of the clock is. */
static void spin(uint32_t loops)
{
#ifdef __riscv
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(loops));
#else
    __asm__ volatile(".syntax unified\n1: subs %0, #1\n bne 1b" : "+l"(loops) : : "cc");
#endif
}

static void all(void)
{
    NAME_real sample[C];
    int r, c;

    for (r = 0; r < ROWS; r++) {
        for (c = 0; c < C; c++)
            sample[c] = rows[r][c];
        NAME_step(&state, sample, NULL);
    }
}

static void network(void)
{
    int r;

    for (r = 0; r < ROWS; r++)
        NAME_run(&state);
}

static double ticks(void (*work)(void))
{
    double before;

    clock_start();
    before = clock_now();
    work();
    return clock_now() - before;
}

/* Bytes of stack that `work` writes: those below that lose their pattern. */
static __attribute__((noinline)) double stack_of(void (*work)(void))
{
    volatile unsigned char *top = (volatile unsigned char *)__builtin_frame_address(0) - 64;
    int used = DEPTH, i;

    for (i = 0; i < DEPTH; i++)
        top[-i] = 0xa5;
    work();
    while (used > 0 && top[1 - used] == 0xa5)
        used--;
    return (double)used;
}

static void calibrate(void)
{
    spin(LOOPS);
}

int main(void)
{
    double results[3], tick;

    if (host_open("samples.bin", "results.bin") || host_read(rows, (int)sizeof rows) != (int)sizeof rows)
        return 1;
    NAME_init(&state);
    results[2] = stack_of(all);
    tick = 2.0 * LOOPS / ticks(calibrate);
    results[0] = ticks(network) * tick / ROWS;
    NAME_init(&state);
    results[1] = ticks(all) * tick / ROWS;
    return host_write(results, (int)sizeof results) || host_close();
}
