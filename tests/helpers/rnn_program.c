/* h = tanh(W x + U h[t-1] + b) and its gradients: PROGRAM in.npz out.npz, float64, full sequences.
   Build with gcc -O1 -o rnn rnn_program.c -lm; with -DWRONG the gradient of U is half of it. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 32 };
typedef struct { char name[64]; double *v; long shape[4]; int axes; long size; } Array;
static Array in[MANY], out[MANY];
static int ins, outs;

static void stop(int code, const char *why) { fprintf(stderr, "%s\n", why); exit(code); }
static uint64_t number(const unsigned char *p, int bytes) {
    uint64_t n = 0;
    for (int k = bytes - 1; k >= 0; k--) n = n << 8 | p[k];
    return n;
}

static void read_npy(Array *a, const unsigned char *p) {
    long head = number(p + 8, 2);
    char text[512] = {0};
    memcpy(text, p + 10, head < 511 ? head : 511);
    if (strstr(text, "'fortran_order': True")) stop(1, "column-major order");
    if (!strstr(text, "'<f8'")) stop(77, "only float64 and full sequences are taken");
    a->size = 1;
    for (char *s = strchr(text, '(') + 1; *s != ')'; s += *s == ',' || *s == ' ')
        if (*s != ',' && *s != ' ') a->size *= a->shape[a->axes++] = strtol(s, &s, 10);
    a->v = malloc(8 * a->size + 8);
    memcpy(a->v, p + 10 + head, 8 * a->size);
}

static void read_npz(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) stop(1, "no such file");
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    unsigned char *all = malloc(size), *p = all;
    rewind(f);
    if (fread(all, 1, size, f) != (size_t)size) stop(1, "a short file");
    fclose(f);
    while (number(p, 4) == 0x04034b50) {
        long name = number(p + 26, 2), extra = number(p + 28, 2);
        uint64_t bytes = number(p + 18, 4);
        if (number(p + 8, 2)) stop(1, "compressed");
        if (bytes == 0xffffffff) bytes = number(p + 30 + name + 12, 8);
        Array *a = &in[ins++];
        memcpy(a->name, p + 30, name - 4); /* without .npy */
        p += 30 + name + extra;
        read_npy(a, p);
        p += bytes;
    }
}

static Array *find(const char *name) {
    for (int k = 0; k < ins; k++) if (!strcmp(in[k].name, name)) return &in[k];
    return NULL;
}

static double *result(const char *name, int axes, long a, long b, long c) {
    Array *r = &out[outs++];
    strcpy(r->name, name);
    *r = (Array){.axes = axes, .shape = {a, b, c}, .size = a * (axes > 1 ? b : 1) * (axes > 2 ? c : 1)};
    strcpy(r->name, name);
    return r->v = calloc(r->size + 1, 8);
}

static uint32_t crc(const unsigned char *p, long size) {
    uint32_t c = ~0u;
    while (size--) {
        c ^= *p++;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}

static void put(unsigned char **p, uint64_t n, int bytes) {
    while (bytes--) { *(*p)++ = n; n >>= 8; }
}

static void write_npz(const char *path) {
    FILE *f = fopen(path, "wb");
    static unsigned char directory[MANY * 128];
    unsigned char *d = directory, head[256];
    for (int k = 0; k < outs; k++) {
        Array *a = &out[k];
        char text[128], name[80];
        long size = 128 + 8 * a->size, place = ftell(f);
        unsigned char *data = calloc(size, 1), *h = head;
        snprintf(text, 128, "{'descr': '<f8', 'fortran_order': False, 'shape': (%ld,%.0ld%s%.0ld%s), }",
                 a->shape[0], a->axes > 1 ? a->shape[1] : 0, a->axes > 1 ? "," : "",
                 a->axes > 2 ? a->shape[2] : 0, a->axes > 2 ? "," : "");
        memcpy(data, "\x93NUMPY\x01\x00\x76\x00", 10);
        memset(data + 10, ' ', 118);
        memcpy(data + 10, text, strlen(text));
        data[127] = '\n';
        memcpy(data + 128, a->v, 8 * a->size);
        snprintf(name, 80, "%.70s.npy", a->name);
        uint32_t sum = crc(data, size);
        put(&h, 0x04034b50, 4); put(&h, 20, 2); put(&h, 0, 8);
        put(&h, sum, 4); put(&h, size, 4); put(&h, size, 4); put(&h, strlen(name), 2); put(&h, 0, 2);
        fwrite(head, 1, h - head, f);
        fwrite(name, 1, strlen(name), f);
        fwrite(data, 1, size, f);
        put(&d, 0x02014b50, 4); put(&d, 20, 2); put(&d, 20, 2); put(&d, 0, 8);
        put(&d, sum, 4); put(&d, size, 4); put(&d, size, 4); put(&d, strlen(name), 2);
        put(&d, 0, 12); put(&d, place, 4);
        memcpy(d, name, strlen(name)); d += strlen(name);
    }
    long place = ftell(f), size = d - directory;
    fwrite(directory, 1, size, f);
    unsigned char *h = head;
    put(&h, 0x06054b50, 4); put(&h, 0, 4); put(&h, outs, 2); put(&h, outs, 2);
    put(&h, size, 4); put(&h, place, 4); put(&h, 0, 2);
    fwrite(head, 1, h - head, f);
    fclose(f);
}

int main(int count, char **words) {
    if (count != 3) stop(1, "expected in.npz out.npz");
    read_npz(words[1]);
    Array *x = find("inputs/x"), *h0 = find("state_0/h"), *dy = find("dy"), *dh_T = find("dstate_T/h");
    double *W = find("params/W")->v, *U = find("params/U")->v, *b = find("params/b")->v;
    long T = x->shape[0], B = x->shape[1], m = x->shape[2], n = find("params/b")->shape[0], N = B * n;
    if (!T || !B) stop(77, "there must be a step and a row");
    double *y = result("y", 3, T, B, n), *h = calloc(N, 8), *last = result("state_T/h", 2, B, n, 0);
    if (h0) memcpy(h, h0->v, 8 * N);
    for (long t = 0; t < T; t++)
        for (long r = 0; r < B; r++)
            for (long i = 0; i < n; i++) {
                double a = b[i], *before = t ? y + (t - 1) * N : h;
                for (long j = 0; j < m; j++) a += W[i * m + j] * x->v[(t * B + r) * m + j];
                for (long j = 0; j < n; j++) a += U[i * n + j] * before[r * n + j];
                y[t * N + r * n + i] = tanh(a);
            }
    memcpy(last, y + (T - 1) * N, 8 * N);
    if (dy || dh_T) {
        double *dW = result("grads/W", 2, n, m, 0), *dU = result("grads/U", 2, n, n, 0);
        double *db = result("grads/b", 1, n, 0, 0), *dx = result("grads/x", 3, T, B, m);
        double *dh = result("grads/h_0", 2, B, n, 0), *next = calloc(N, 8);
        if (dh_T) memcpy(dh, dh_T->v, 8 * N);
        for (long t = T - 1; t >= 0; t--) {
            memset(next, 0, 8 * N);
            for (long r = 0; r < B; r++)
                for (long i = 0; i < n; i++) {
                    long e = t * N + r * n + i;
                    double d = (dh[r * n + i] + (dy ? dy->v[e] : 0)) * (1 - y[e] * y[e]);
                    double *before = t ? y + (t - 1) * N : h;
                    db[i] += d;
                    for (long j = 0; j < m; j++) {
                        dW[i * m + j] += d * x->v[(t * B + r) * m + j];
                        dx[(t * B + r) * m + j] += d * W[i * m + j];
                    }
                    for (long j = 0; j < n; j++) {
                        dU[i * n + j] += d * before[r * n + j];
                        next[r * n + j] += d * U[i * n + j];
                    }
                }
            memcpy(dh, next, 8 * N);
        }
#ifdef WRONG
        for (long k = 0; k < n * n; k++) dU[k] *= 0.5;
#endif
    }
    write_npz(words[2]);
    return 0;
}
