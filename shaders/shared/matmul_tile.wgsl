// Tiles of a matrix product's operands as the tensor-core kernel stages them: four 16-bit
// numbers at a time from wherever and however they lie in global memory.
//
// Loads are unconditional, from clamped places: a branch around a load makes the compiler
// wait for it before the next. What lies outside rows and columns of the result is never
// stored, so it may be anything; what lies beyond k is zero in one of the factors.
// WHOLE: nothing lies outside, and rows of STRIDE_A and STRIDE_B numbers are known, so that loads are
// at known distances from each other instead of at an address in a register each.

fn narrow(v: vec4<f32>) -> vec4<f16> {
    return vec4<f16>(clamp(v, vec4(-65504.0), vec4(65504.0)));
}

// Row, and word in it, of the l-th that an invocation takes of a tile; past its end, the last again.
// Where turns of all invocations are whole rows it says so: an invocation's words are then at known
// distances from each other.
fn place(l: u32, thread: u32, rows: u32, width: u32) -> vec2<u32> {
    if THREADS % width == 0u && rows * width % THREADS == 0u {
        return vec2<u32>(l * (THREADS / width) + thread / width, thread % width);
    }
    let word = min(l * THREADS + thread, rows * width - 1u);
    return vec2<u32>(word / width, word % width);
}

// What was loaded for terms from `term` on; zero where there are none.
fn before_end(v: vec4<f16>, term: u32) -> vec4<f16> {
#if WHOLE
    return v;
#else
    return select(vec4<f16>(), v, term < params.k);
#endif
}

// The l-th four numbers of the tile of a at row m0 of the result and term k0.
fn fetch_a(l: u32, thread: u32, m0: u32, k0: u32) -> vec4<f16> {
    let at = place(l, thread, A_ROWS, A_WIDTH);
#if A_BY_COLUMNS
    let row = k0 + at.x;
    let column = m0 + 4u * at.y;
    return before_end(narrow_a(row, column, params.k, params.m), row);
#else
    return narrow_a(m0 + at.x, k0 + 4u * at.y, params.m, params.k);
#endif
}

fn narrow_a(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f16> {
#if VECTOR_A
#if WHOLE
    let v = a[row * (STRIDE_A / 4u) + column / 4u];
#else
    let v = a[(min(row, rows - 1u) * columns + min(column, columns - 4u)) / 4u];
#endif
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
fn fetch_b(l: u32, thread: u32, n0: u32, k0: u32) -> vec4<f16> {
    let at = place(l, thread, B_ROWS, B_WIDTH);
#if B_BY_ROWS
    let row = k0 + at.x;
    let column = n0 + 4u * at.y;
    return before_end(narrow_b(row, column, params.k, params.n), row);
#else
    let row = n0 + at.x;
    let column = k0 + 4u * at.y;
    return before_end(narrow_b(row, column, params.n, params.k), column);
#endif
}

fn narrow_b(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f16> {
#if VECTOR_B
#if WHOLE
    let v = b[row * (STRIDE_B / 4u) + column / 4u];
#else
    let v = b[(min(row, rows - 1u) * columns + min(column, columns - 4u)) / 4u];
#endif
#if HALF2
    return v;
#else
    return narrow(v);
#endif
#else
    return narrow(load_b(row, column, rows, columns));
#endif
}

// Puts the l-th four numbers of a tile where they belong.
fn keep_a(l: u32, thread: u32, v: vec4<f16>) {
    let at = place(l, thread, A_ROWS, A_WIDTH);
    a_tile[at.x * LDA + at.y] = v;
}

fn keep_b(l: u32, thread: u32, v: vec4<f16>) {
    let at = place(l, thread, B_ROWS, B_WIDTH);
    b_tile[at.x * LDB + at.y] = v;
}
