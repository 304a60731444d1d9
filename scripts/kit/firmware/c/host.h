/* Two files of the computer that runs the program: stdio, or semihosting on an emulated board. */
int host_open(const char *reads, const char *writes); /* 0, or 1 where that fails */
int host_read(void *into, int bytes);                 /* bytes read, 0 at the end */
int host_write(const void *from, int bytes);          /* 0, or 1 where that fails */
int host_close(void);                                 /* 0, or 1 where that fails */
