// Operands of a matrix product in global memory: sizes, loads of four neighbours, and the
// store with its epilogue. Shared by the matmul kernels.
//
// a, b: row-major. With A_BY_COLUMNS a is [k, m], else [m, k]; with B_BY_ROWS b is
//   [k, n], else [n, k]. c is [slabs, m, n].
// VECTOR_A, VECTOR_B, VECTOR_C: the operand's rows divide by 4, so that loads and stores take
//   four numbers. HALF1 (a), HALF2 (b), HALF3 (c), HALF4.. (the rest): 16-bit in memory, which
//   implies rows that divide by 4; stores saturate instead of overflowing.
// EIGHTS: c is in 16 bits and its rows divide by 8: a word of it is eight numbers, which the kernel
//   packs and stores by itself.
// BIAS: bias [n]. RESIDUAL: residual [m, n], scale [n].

struct Params {
    m: u32,
    n: u32,
    k: u32,
    // Length of a slab of k, a multiple of BK.
    slab: u32,
    // Tiles along m that are in flight at once: a workgroup takes every row_groups-th.
    row_groups: u32,
    tiles_m: u32,
    tiles_n: u32,
    slabs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if HALF1
alias WordA = vec4<f16>;
#else
#if VECTOR_A
alias WordA = vec4<f32>;
#else
alias WordA = f32;
#endif
#endif
#if HALF2
alias WordB = vec4<f16>;
#else
#if VECTOR_B
alias WordB = vec4<f32>;
#else
alias WordB = f32;
#endif
#endif
#if VECTOR_C
alias Word = vec4<f32>;
#else
alias Word = f32;
#endif
#if EIGHTS
alias WordC = vec4<u32>;
#else
#if HALF3
alias WordC = vec4<f16>;
#else
alias WordC = Word;
#endif
#endif
@group(0) @binding(1) var<storage, read> a: array<WordA>;
@group(0) @binding(2) var<storage, read> b: array<WordB>;
@group(0) @binding(3) var<storage, read_write> c: array<WordC>;
#if BIAS
@group(0) @binding(4) var<storage, read> bias: array<Word>;
#endif
#if RESIDUAL
#if BIAS
#if HALF5
alias Residual = vec4<f16>;
#else
alias Residual = Word;
#endif
#else
#if HALF4
alias Residual = vec4<f16>;
#else
alias Residual = Word;
#endif
#endif
@group(0) @binding(4u + BIAS) var<storage, read> residual: array<Residual>;
@group(0) @binding(5u + BIAS) var<storage, read> scale: array<Word>;
#endif

// Four neighbours of a row of `a` [rows, columns]; zero outside.
fn load_a(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f32> {
    if row >= rows || column >= columns {
        return vec4<f32>();
    }
    let i = row * columns + column;
#if VECTOR_A
    return vec4<f32>(a[i / 4u]);
#else
    var v = vec4<f32>(a[i], 0.0, 0.0, 0.0);
    if column + 1u < columns { v.y = a[i + 1u]; }
    if column + 2u < columns { v.z = a[i + 2u]; }
    if column + 3u < columns { v.w = a[i + 3u]; }
    return v;
#endif
}

// The same of `b`.
fn load_b(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f32> {
    if row >= rows || column >= columns {
        return vec4<f32>();
    }
    let i = row * columns + column;
#if VECTOR_B
    return vec4<f32>(b[i / 4u]);
#else
    var v = vec4<f32>(b[i], 0.0, 0.0, 0.0);
    if column + 1u < columns { v.y = b[i + 1u]; }
    if column + 2u < columns { v.z = b[i + 2u]; }
    if column + 3u < columns { v.w = b[i + 3u]; }
    return v;
#endif
}

// A result after the epilogue; i and column count words in [m, n] and [n]. What is kept in 16 bits
// saturates, with EIGHTS when it is packed.
fn finish(i: u32, column: u32, sum: Word) -> Word {
    var v = sum;
#if BIAS
    v += bias[column];
#endif
#if RESIDUAL
    v = fma(scale[column], v, Word(residual[i]));
#endif
#if HALF3
#if !EIGHTS
    v = clamp(v, Word(-65504.0), Word(65504.0));
#endif
#endif
    return v;
}

#if VECTOR_C
// Words of a row of c; WHOLE: a constant, and nothing is outside (see shared/matmul_tile).
fn row_words() -> u32 {
#if WHOLE
    return STRIDE_C / 4u;
#else
    return params.n / 4u;
#endif
}

// The same of the word at (row, column), whatever it is outside.
fn finished(row: u32, column: u32, sum: Word) -> Word {
#if WHOLE
    return finish(row * row_words() + column, column, sum);
#else
    let inside = min(column, row_words() - 1u);
    return finish(min(row, params.m - 1u) * row_words() + inside, inside, sum);
#endif
}
#endif

#if EIGHTS
// Four numbers in 16 bits. They saturate when they are there already, two at a time: what is too
// large is infinite or the largest by then. Back to 32 because naga 30 casts no bits of 16-bit vectors.
fn packed(v: vec4<f32>) -> vec2<u32> {
    let h = vec4<f32>(clamp(vec4<f16>(v), vec4<f16>(-65504.0h), vec4<f16>(65504.0h)));
    return vec2<u32>(pack2x16float(h.xy), pack2x16float(h.zw));
}
#else
// Writes four neighbours of a row of the result of one slab; nothing outside.
fn store(slab: u32, row: u32, column: u32, sums: vec4<f32>) {
    if row >= params.m || column >= params.n {
        return;
    }
    let i = row * params.n + column;
    let at = slab * params.m * params.n + i;
#if VECTOR_C
    c[at / 4u] = WordC(finish(i / 4u, column / 4u, sums));
#else
    c[at] = finish(i, column, sums.x);
    if column + 1u < params.n { c[at + 1u] = finish(i + 1u, column + 1u, sums.y); }
    if column + 2u < params.n { c[at + 2u] = finish(i + 2u, column + 2u, sums.z); }
    if column + 3u < params.n { c[at + 3u] = finish(i + 3u, column + 3u, sums.w); }
#endif
}
#endif
