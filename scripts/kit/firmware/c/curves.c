/* e^x to a float's precision, between e^-87 and e^88: the same on every chip (Cephes, expf) */
static float NAME_exp(float x)
{
    float power, y;
    int32_t k;
    uint32_t bits;

    x = x > -87.0f ? x < 88.0f ? x : 88.0f : -87.0f;
    k = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    x = x - (float)k * 0.693359375f;
    x = x + (float)k * 2.12194440e-4f;
    y = 1.9875691500e-4f;
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * (x * x) + x + 1.0f;
    bits = (uint32_t)(k + 127) << 23;
    memcpy(&power, &bits, sizeof power);
    return y * power;
}


/* natural logarithm of a normal x > 0 (Cephes, logf) */
static float NAME_log(float x)
{
    float square, y;
    int32_t k;
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    k = (int32_t)((bits + 0x004afb0du) >> 23) - 127;  /* x 2^-k between sqrt(1/2) and sqrt(2) */
    bits -= (uint32_t)k << 23;
    memcpy(&x, &bits, sizeof x);
    x = x - 1.0f;
    square = x * x;
    y = 7.0376836292e-2f;
    y = y * x - 1.1514610310e-1f;
    y = y * x + 1.1676998740e-1f;
    y = y * x - 1.2420140846e-1f;
    y = y * x + 1.4249322787e-1f;
    y = y * x - 1.6668057665e-1f;
    y = y * x + 2.0000714765e-1f;
    y = y * x - 2.4999993993e-1f;
    y = y * x + 3.3333331174e-1f;
    y = y * x * square;
    y = y - 2.12194440e-4f * (float)k;
    y = y - 0.5f * square;
    return x + y + 0.693359375f * (float)k;
}
