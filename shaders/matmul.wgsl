// Matrix product C = A·B in 32-bit, the T0 kernel behind the Linear family:
//   y  = x·wᵀ    A = x  [T, I]               B = w [O, I], read as [n, k]
//   gx = gy·w    A = gy [T, O]               B = w [O, I], B_BY_ROWS
//   gw = gyᵀ·x   A = gy [T, O], A_BY_COLUMNS  B = x [T, I], B_BY_ROWS, slabs of T
//
// Bindings and epilogue: shared/matmul_io.wgsl.
// Layout: a workgroup makes a BM × BN tile of one slab; thread (ty, tx) of RN × CN
//   makes TM rows (4; with TM8 another 4, BM/2 further) by TN columns (likewise), so
//   that a row of threads writes whole cache lines. Tiles of BK along k go through
//   workgroup memory, k outermost, columns swizzled against bank conflicts.
// Constants: BM, BN, BK, RN, CN; LDA, LDB: tile rows in vec4, multiples of 8; flags.
// Numerics: one 32-bit sum a result, in the order of k (within a slab).

#include index
#include matmul_io

const THREADS: u32 = RN * CN;
var<workgroup> a_tile: array<vec4<f32>, BK * LDA>;
var<workgroup> b_tile: array<vec4<f32>, BK * LDB>;

// Where four columns of tile row k lie: each group of four rows exchanges its columns.
fn swizzle(k: u32, column: u32) -> u32 {
    return column ^ ((k >> 1u) & 6u);
}

fn stage_a(thread: u32, m0: u32, k0: u32) {
#if A_BY_COLUMNS
    for (var i = thread; i < BK * (BM / 4u); i += THREADS) {
        let k = i / (BM / 4u);
        let column = i % (BM / 4u);
        a_tile[k * LDA + swizzle(k, column)] = load_a(k0 + k, m0 + 4u * column, params.k, params.m);
    }
#else
    // Blocks of 4 × 4, transposed in registers.
    for (var i = thread; i < (BK / 4u) * (BM / 4u); i += THREADS) {
        let k = 4u * (i % (BK / 4u));
        let column = i / (BK / 4u);
        let m = m0 + 4u * column;
        let r0 = load_a(m, k0 + k, params.m, params.k);
        let r1 = load_a(m + 1u, k0 + k, params.m, params.k);
        let r2 = load_a(m + 2u, k0 + k, params.m, params.k);
        let r3 = load_a(m + 3u, k0 + k, params.m, params.k);
        let at = k * LDA + swizzle(k, column);
        let t = transpose(mat4x4(r0, r1, r2, r3));
        a_tile[at] = t[0];
        a_tile[at + LDA] = t[1];
        a_tile[at + 2u * LDA] = t[2];
        a_tile[at + 3u * LDA] = t[3];
    }
#endif
}

fn stage_b(thread: u32, n0: u32, k0: u32) {
#if B_BY_ROWS
    for (var i = thread; i < BK * (BN / 4u); i += THREADS) {
        let k = i / (BN / 4u);
        let column = i % (BN / 4u);
        b_tile[k * LDB + swizzle(k, column)] = load_b(k0 + k, n0 + 4u * column, params.k, params.n);
    }
#else
    for (var i = thread; i < (BK / 4u) * (BN / 4u); i += THREADS) {
        let k = 4u * (i % (BK / 4u));
        let column = i / (BK / 4u);
        let n = n0 + 4u * column;
        let r0 = load_b(n, k0 + k, params.n, params.k);
        let r1 = load_b(n + 1u, k0 + k, params.n, params.k);
        let r2 = load_b(n + 2u, k0 + k, params.n, params.k);
        let r3 = load_b(n + 3u, k0 + k, params.n, params.k);
        let at = k * LDB + swizzle(k, column);
        let t = transpose(mat4x4(r0, r1, r2, r3));
        b_tile[at] = t[0];
        b_tile[at + LDB] = t[1];
        b_tile[at + 2u * LDB] = t[2];
        b_tile[at + 3u * LDB] = t[3];
    }
#endif
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let group = folded(id, num);
    let tiles = params.tiles_m * params.tiles_n;
    let slab = group / tiles;
    if slab >= params.slabs {
        return;
    }
    // Neighbouring workgroups share rows of a.
    let n0 = (group % params.tiles_n) * BN;
    let m0 = (group % tiles) / params.tiles_n * BM;
    let tx = thread % CN;
    let ty = thread / CN;
    // Sums, named by quarter: rows 0–3 or 4–7, columns 0–3 (p, r) or 4–7 (q, s).
    var p0 = vec4<f32>(); var p1 = vec4<f32>(); var p2 = vec4<f32>(); var p3 = vec4<f32>();
    var q0 = vec4<f32>(); var q1 = vec4<f32>(); var q2 = vec4<f32>(); var q3 = vec4<f32>();
    var r0 = vec4<f32>(); var r1 = vec4<f32>(); var r2 = vec4<f32>(); var r3 = vec4<f32>();
    var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>();
    let end = min(params.k, (slab + 1u) * params.slab);
    for (var k0 = slab * params.slab; k0 < end; k0 += BK) {
        stage_a(thread, m0, k0);
        stage_b(thread, n0, k0);
        workgroupBarrier();
        for (var k = 0u; k < BK; k++) {
            let a0 = a_tile[k * LDA + swizzle(k, ty)];
            let b0 = b_tile[k * LDB + swizzle(k, tx)];
            p0 = fma(vec4(a0.x), b0, p0);
            p1 = fma(vec4(a0.y), b0, p1);
            p2 = fma(vec4(a0.z), b0, p2);
            p3 = fma(vec4(a0.w), b0, p3);
#if TN8
            let b1 = b_tile[k * LDB + swizzle(k, CN + tx)];
            q0 = fma(vec4(a0.x), b1, q0);
            q1 = fma(vec4(a0.y), b1, q1);
            q2 = fma(vec4(a0.z), b1, q2);
            q3 = fma(vec4(a0.w), b1, q3);
#endif
#if TM8
            let a1 = a_tile[k * LDA + swizzle(k, RN + ty)];
            r0 = fma(vec4(a1.x), b0, r0);
            r1 = fma(vec4(a1.y), b0, r1);
            r2 = fma(vec4(a1.z), b0, r2);
            r3 = fma(vec4(a1.w), b0, r3);
#if TN8
            s0 = fma(vec4(a1.x), b1, s0);
            s1 = fma(vec4(a1.y), b1, s1);
            s2 = fma(vec4(a1.z), b1, s2);
            s3 = fma(vec4(a1.w), b1, s3);
#endif
#endif
        }
        workgroupBarrier();
    }
    let m = m0 + 4u * ty;
    let n = n0 + 4u * tx;
    store(slab, m, n, p0);
    store(slab, m + 1u, n, p1);
    store(slab, m + 2u, n, p2);
    store(slab, m + 3u, n, p3);
#if TN8
    store(slab, m, n + 4u * CN, q0);
    store(slab, m + 1u, n + 4u * CN, q1);
    store(slab, m + 2u, n + 4u * CN, q2);
    store(slab, m + 3u, n + 4u * CN, q3);
#endif
#if TM8
    store(slab, m + 4u * RN, n, r0);
    store(slab, m + 4u * RN + 1u, n, r1);
    store(slab, m + 4u * RN + 2u, n, r2);
    store(slab, m + 4u * RN + 3u, n, r3);
#if TN8
    store(slab, m + 4u * RN, n + 4u * CN, s0);
    store(slab, m + 4u * RN + 1u, n + 4u * CN, s1);
    store(slab, m + 4u * RN + 2u, n + 4u * CN, s2);
    store(slab, m + 4u * RN + 3u, n + 4u * CN, s3);
#endif
#endif
}
