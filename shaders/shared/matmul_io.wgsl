// Operands of a matrix product in global memory, 32-bit: sizes, loads of four
// neighbours, and the store with its epilogue. Shared by the matmul kernels.
//
// a, b: row-major. With A_BY_COLUMNS a is [k, m], else [m, k]; with B_BY_ROWS b is
//   [k, n], else [n, k]. c is [slabs, m, n].
// VECTOR: every row length among m, n, k divides by 4, so loads and stores take 16 bytes.
// BIAS: bias [n]. RESIDUAL: residual [m, n], scale [n].

struct Params {
    m: u32,
    n: u32,
    k: u32,
    // Length of a slab of k, a multiple of BK.
    slab: u32,
    tiles_m: u32,
    tiles_n: u32,
    slabs: u32,
    // Factors on a and on the result, for kernels that narrow their operands.
    a_factor: f32,
    c_factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if VECTOR
alias Word = vec4<f32>;
#else
alias Word = f32;
#endif
@group(0) @binding(1) var<storage, read> a: array<Word>;
@group(0) @binding(2) var<storage, read> b: array<Word>;
@group(0) @binding(3) var<storage, read_write> c: array<Word>;
#if BIAS
@group(0) @binding(4) var<storage, read> bias: array<Word>;
#endif
#if RESIDUAL
@group(0) @binding(4u + BIAS) var<storage, read> residual: array<Word>;
@group(0) @binding(5u + BIAS) var<storage, read> scale: array<Word>;
#endif

// Four neighbours of a row of `a` [rows, columns]; zero outside.
fn load_a(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f32> {
    if row >= rows || column >= columns {
        return vec4<f32>();
    }
    let i = row * columns + column;
#if VECTOR
    return a[i / 4u];
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
#if VECTOR
    return b[i / 4u];
#else
    var v = vec4<f32>(b[i], 0.0, 0.0, 0.0);
    if column + 1u < columns { v.y = b[i + 1u]; }
    if column + 2u < columns { v.z = b[i + 2u]; }
    if column + 3u < columns { v.w = b[i + 3u]; }
    return v;
#endif
}

// A result after the epilogue; i and column count words in [m, n] and [n].
fn finish(i: u32, column: u32, sum: Word) -> Word {
    var v = sum;
#if BIAS
    v += bias[column];
#endif
#if RESIDUAL
    v = fma(scale[column], v, residual[i]);
#endif
    return v;
}

// Writes four neighbours of a row of the result of one slab; nothing outside.
fn store(slab: u32, row: u32, column: u32, sums: vec4<f32>) {
    if row >= params.m || column >= params.n {
        return;
    }
    let i = row * params.n + column;
    let at = slab * params.m * params.n + i;
#if VECTOR
    c[at / 4u] = finish(i / 4u, column / 4u, sums);
#else
    c[at] = finish(i, column, sums.x);
    if column + 1u < params.n { c[at + 1u] = finish(i + 1u, column + 1u, sums.y); }
    if column + 2u < params.n { c[at + 2u] = finish(i + 2u, column + 2u, sums.z); }
    if column + 3u < params.n { c[at + 3u] = finish(i + 3u, column + 3u, sums.w); }
#endif
}
