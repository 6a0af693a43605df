// Tiles of a matrix product's operands as the tensor-core kernel stages them: four 16-bit
// numbers at a time from wherever and however they lie in global memory.
//
// Loads are unconditional, from clamped places: a branch around a load makes the compiler
// wait for it before the next. What lies outside rows and columns of the result is never
// stored, so it may be anything; what lies beyond k is zero in one of the factors.

fn narrow(v: vec4<f32>) -> vec4<f16> {
    return vec4<f16>(clamp(v, vec4(-65504.0), vec4(65504.0)));
}

// The i-th four numbers of the tile of a at row m0 of the result and term k0.
fn fetch_a(i: u32, m0: u32, k0: u32) -> vec4<f16> {
    let word = min(i, A_ROWS * A_WIDTH - 1u);
#if A_BY_COLUMNS
    let row = k0 + word / A_WIDTH;
    let column = m0 + 4u * (word % A_WIDTH);
    return select(vec4<f16>(), narrow_a(row, column, params.k, params.m), row < params.k);
#else
    return narrow_a(m0 + word / A_WIDTH, k0 + 4u * (word % A_WIDTH), params.m, params.k);
#endif
}

fn narrow_a(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f16> {
#if VECTOR_A
    let v = a[(min(row, rows - 1u) * columns + min(column, columns - 4u)) / 4u];
#if HALF1
    return v;
#else
    return narrow(v);
#endif
#else
    return narrow(load_a(row, column, rows, columns));
#endif
}

// The same of b at column n0 of the result.
fn fetch_b(i: u32, n0: u32, k0: u32) -> vec4<f16> {
    let word = min(i, B_ROWS * B_WIDTH - 1u);
#if B_BY_ROWS
    let row = k0 + word / B_WIDTH;
    let column = n0 + 4u * (word % B_WIDTH);
    return select(vec4<f16>(), narrow_b(row, column, params.k, params.n), row < params.k);
#else
    let row = n0 + word / B_WIDTH;
    let column = k0 + 4u * (word % B_WIDTH);
    return select(vec4<f16>(), narrow_b(row, column, params.n, params.k), column < params.k);
#endif
}

fn narrow_b(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f16> {
#if VECTOR_B
    let v = b[(min(row, rows - 1u) * columns + min(column, columns - 4u)) / 4u];
#if HALF2
    return v;
#else
    return narrow(v);
#endif
#else
    return narrow(load_b(row, column, rows, columns));
#endif
}

// Puts the i-th four numbers of a tile where they belong; past its end, the last again.
fn keep_a(i: u32, v: vec4<f16>) {
    let word = min(i, A_ROWS * A_WIDTH - 1u);
    a_tile[word / A_WIDTH * LDA + word % A_WIDTH] = v;
}

fn keep_b(i: u32, v: vec4<f16>) {
    let word = min(i, B_ROWS * B_WIDTH - 1u);
    b_tile[word / B_WIDTH * LDB + word % B_WIDTH] = v;
}
