/* Counts instructions and stack on an emulated core. */
#include <stdint.h>

#define DEPTH 8192
#define LOOPS 100000

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

/* A loop of known length. */
static void calibrate(void)
{
    spin(LOOPS);
}

static double instructions(void (*work)(void))
{
    const double tick = 2.0 * LOOPS / ticks(calibrate);

    return ticks(work) * tick;
}
