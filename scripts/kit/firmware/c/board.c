/* The start of an emulated Cortex-M or RISC-V board, and its files by semihosting. */
#include "host.h"

#include <stdint.h>

int main(void);
extern uint32_t bss_start[], bss_end[], data_start[], data_end[], data_source[], stack_top[];
void reset(void);

#ifdef __riscv
static long call(long number, volatile void *block)
{
    register long a0 __asm__("a0") = number;
    register volatile void *a1 __asm__("a1") = block;

    __asm__ volatile(".option push\n.option norvc\n.balign 16\n"
                     "slli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                     : "+r"(a0) : "r"(a1) : "memory");
    return a0;
}

__attribute__((naked, section(".vectors"))) void start(void)
{
    __asm__ volatile("la sp, stack_top\nj reset");
}
#else
static long call(long number, volatile void *block)
{
    register long r0 __asm__("r0") = number;
    register volatile void *r1 __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    stack_top, (const void *)reset};
#endif

static long files[2];

static long length(const char *text)
{
    long n = 0;

    while (text[n])
        n++;
    return n;
}

static long opened(const char *path, long mode)
{
    volatile long block[3] = {(long)path, mode, length(path)};

    return call(1, block);
}

int host_open(const char *reads, const char *writes)
{
    files[0] = opened(reads, 1);
    files[1] = opened(writes, 5);
    return files[0] < 0 || files[1] < 0;
}

int host_read(void *into, int bytes)
{
    volatile long block[3] = {files[0], (long)into, bytes};

    return bytes - (int)call(6, block);
}

int host_write(const void *from, int bytes)
{
    volatile long block[3] = {files[1], (long)from, bytes};

    return call(5, block) != 0;
}

int host_close(void)
{
    volatile long block[1] = {files[1]};

    return call(2, block) != 0;
}

void reset(void)
{
    uint32_t *to, *from = data_source;
    volatile long block[2] = {0x20026, 1}; /* ADP_Stopped_ApplicationExit */

#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* the FPU on */
    __asm__ volatile("dsb\nisb");
#endif
    for (to = data_start; to < data_end; to++)
        *to = *from++;
    for (to = bss_start; to < bss_end; to++)
        *to = 0;
    block[1] = main();
    call(0x20, block); /* SYS_EXIT_EXTENDED: the exit code comes back */
    for (;;)
        ;
}
