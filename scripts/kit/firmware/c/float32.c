static float NAME_larger(float x, float y)
{
    return x > y ? x : y;
}


static float NAME_relu6(float x)
{
    return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
}


static float NAME_logistic(float x)
{
    return 1.0f / (1.0f + NAME_exp(-x));
}


static float NAME_tanh(float x)
{
    const float square = x * x;

    if (square < 0.09f)  /* the series, exact to a float */
        return x * (1.0f - square * (0.333333333f - square * (0.133333333f
            - square * (0.0539682540f - square * (0.0218694885f - square * 0.00886323553f)))));
    return 1.0f - 2.0f / (1.0f + NAME_exp(2.0f * x));
}


static float NAME_elu(float x)
{
    return x > 0.0f ? x : NAME_exp(x) - 1.0f;
}


/* y = W x + b */
static void NAME_product(const float *x, const float *w, const float *b, int rows, int columns,
                         float *y)
{
    int r, c;

    for (r = 0; r < rows; r++, w += columns) {
        float sum = b[r];

        for (c = 0; c < columns; c++)
            sum += w[c] * x[c];
        y[r] = sum;
    }
}


static void NAME_softmax(const float *x, int n, float beta, float *y)
{
    float largest = x[0], sum = 0.0f;
    int i;

    for (i = 1; i < n; i++)
        largest = NAME_larger(largest, x[i]);
    for (i = 0; i < n; i++) {
        y[i] = NAME_exp((x[i] - largest) * beta);
        sum += y[i];
    }
    for (i = 0; i < n; i++)
        y[i] /= sum;
}
