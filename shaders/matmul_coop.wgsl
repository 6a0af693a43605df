// Matrix product C = A·B on tensor cores: 16-bit operands, 32-bit sums, 32-bit in memory.
// Same products, bindings, epilogue and slabs as matmul.wgsl (see shared/matmul_io.wgsl).
//
// Layout: a workgroup of SG_M × SG_N subgroups of 32 makes a BM × BN tile of one slab,
//   each subgroup 32 × 32 of it: 2 × 2 cooperative matrices of 16 × 16. Tiles of BK = 32
//   along k are staged through workgroup memory as they lie in global memory, so that the
//   loads into cooperative matrices are row- or column-major; rows are padded by 16 bytes
//   against bank conflicts. All matrices are named: indexed ones would go to memory.
// Constants: SG_M, SG_N, BM = 32·SG_M, BN = 32·SG_N, flags.
// Numerics: A is multiplied by a_factor, a power of two, and both operands are rounded to
//   16 bits, saturating; sums are 32-bit and multiplied by c_factor.
// Needs: subgroups of exactly 32, numbered as the invocations are; 16 × 16 × 16 of f16
//   with f32 sums; 48 KiB of workgroup memory.

enable f16;
enable wgpu_cooperative_matrix;
#include matmul_io

const BK: u32 = 32u;
const THREADS: u32 = 32u * SG_M * SG_N;

// Tiles as in memory: rows of WIDTH vec4 (4 × 16 bit), LD with padding; _M, _N, _K: from a
// cooperative matrix to the next along that axis.
#if A_BY_COLUMNS
const A_ROWS: u32 = BK;
const A_WIDTH: u32 = BM / 4u;
const LDA: u32 = A_WIDTH + 2u;
const A_M: u32 = 4u;
const A_K: u32 = 16u * LDA;
#else
const A_ROWS: u32 = BM;
const A_WIDTH: u32 = BK / 4u;
const LDA: u32 = A_WIDTH + 2u;
const A_M: u32 = 16u * LDA;
const A_K: u32 = 4u;
#endif
#if B_BY_ROWS
const B_ROWS: u32 = BK;
const B_WIDTH: u32 = BN / 4u;
const LDB: u32 = B_WIDTH + 2u;
const B_N: u32 = 4u;
const B_K: u32 = 16u * LDB;
#else
const B_ROWS: u32 = BN;
const B_WIDTH: u32 = BK / 4u;
const LDB: u32 = B_WIDTH + 2u;
const B_N: u32 = 16u * LDB;
const B_K: u32 = 4u;
#endif
// 16 × 32 results of each subgroup on their way through the epilogue, rows of 9 vec4.
const LDC: u32 = 9u;
const C_SIZE: u32 = 16u * LDC;

var<workgroup> a_tile: array<vec4<f16>, A_ROWS * LDA>;
var<workgroup> b_tile: array<vec4<f16>, B_ROWS * LDB>;
var<workgroup> c_tile: array<vec4<f32>, SG_M * SG_N * C_SIZE>;

fn narrow(v: vec4<f32>) -> vec4<f16> {
    return vec4<f16>(clamp(v, vec4(-65504.0), vec4(65504.0)));
}

fn stage(thread: u32, m0: u32, n0: u32, k0: u32) {
    for (var j = 0u; j < (A_ROWS * A_WIDTH + THREADS - 1u) / THREADS; j++) {
        let i = j * THREADS + thread;
        let row = i / A_WIDTH;
        let column = i % A_WIDTH;
        if row < A_ROWS {
#if A_BY_COLUMNS
            let v = load_a(k0 + row, m0 + 4u * column, params.k, params.m);
#else
            let v = load_a(m0 + row, k0 + 4u * column, params.m, params.k);
#endif
            a_tile[row * LDA + column] = narrow(v * params.a_factor);
        }
    }
    for (var j = 0u; j < (B_ROWS * B_WIDTH + THREADS - 1u) / THREADS; j++) {
        let i = j * THREADS + thread;
        let row = i / B_WIDTH;
        let column = i % B_WIDTH;
        if row < B_ROWS {
#if B_BY_ROWS
            let v = load_b(k0 + row, n0 + 4u * column, params.k, params.n);
#else
            let v = load_b(n0 + row, k0 + 4u * column, params.n, params.k);
#endif
            b_tile[row * LDB + column] = narrow(v);
        }
    }
}

// The epilogue of 16 × 32 results that the subgroup left in c_tile.
fn finish_rows(slab: u32, row: u32, column: u32, at: u32, lane: u32) {
    for (var j = 0u; j < 4u; j++) {
        let r = 4u * j + lane / 8u;
        let sums = c_tile[at + r * LDC + lane % 8u];
        store(slab, row + r, column + 4u * (lane % 8u), sums * params.c_factor);
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    // Not folded(): naga takes the result of a function for non-uniform.
    let group = id.y * num.x + id.x;
    let tiles = params.tiles_m * params.tiles_n;
    let slab = group / tiles;
    if slab >= params.slabs {
        return;
    }
    // Neighbouring workgroups share rows of a.
    let n0 = (group % params.tiles_n) * BN;
    let m0 = (group % tiles) / params.tiles_n * BM;
    let subgroup = thread / 32u;
    let sm = subgroup / SG_N;
    let sn = subgroup % SG_N;
    // The subgroup's first matrices of each tile.
    let a0 = 2u * sm * A_M;
    let b0 = 2u * sn * B_N;
    var c00 = coop_mat16x16<f32, C>();
    var c01 = coop_mat16x16<f32, C>();
    var c10 = coop_mat16x16<f32, C>();
    var c11 = coop_mat16x16<f32, C>();
    let end = min(params.k, (slab + 1u) * params.slab);
    for (var k0 = slab * params.slab; k0 < end; k0 += BK) {
        stage(thread, m0, n0, k0);
        workgroupBarrier();
        // a{row}{k}, b{k}{column}
#if A_BY_COLUMNS
        let a00 = coopLoad<coop_mat16x16<f16, A>>(&a_tile[a0], LDA);
        let a10 = coopLoad<coop_mat16x16<f16, A>>(&a_tile[a0 + A_M], LDA);
        let a01 = coopLoad<coop_mat16x16<f16, A>>(&a_tile[a0 + A_K], LDA);
        let a11 = coopLoad<coop_mat16x16<f16, A>>(&a_tile[a0 + A_K + A_M], LDA);
#else
        let a00 = coopLoadT<coop_mat16x16<f16, A>>(&a_tile[a0], LDA);
        let a10 = coopLoadT<coop_mat16x16<f16, A>>(&a_tile[a0 + A_M], LDA);
        let a01 = coopLoadT<coop_mat16x16<f16, A>>(&a_tile[a0 + A_K], LDA);
        let a11 = coopLoadT<coop_mat16x16<f16, A>>(&a_tile[a0 + A_K + A_M], LDA);
#endif
#if B_BY_ROWS
        let b00 = coopLoadT<coop_mat16x16<f16, B>>(&b_tile[b0], LDB);
        let b01 = coopLoadT<coop_mat16x16<f16, B>>(&b_tile[b0 + B_N], LDB);
        let b10 = coopLoadT<coop_mat16x16<f16, B>>(&b_tile[b0 + B_K], LDB);
        let b11 = coopLoadT<coop_mat16x16<f16, B>>(&b_tile[b0 + B_K + B_N], LDB);
#else
        let b00 = coopLoad<coop_mat16x16<f16, B>>(&b_tile[b0], LDB);
        let b01 = coopLoad<coop_mat16x16<f16, B>>(&b_tile[b0 + B_N], LDB);
        let b10 = coopLoad<coop_mat16x16<f16, B>>(&b_tile[b0 + B_K], LDB);
        let b11 = coopLoad<coop_mat16x16<f16, B>>(&b_tile[b0 + B_K + B_N], LDB);
#endif
        c00 = coopMultiplyAdd(a00, b00, c00);
        c01 = coopMultiplyAdd(a00, b01, c01);
        c10 = coopMultiplyAdd(a10, b00, c10);
        c11 = coopMultiplyAdd(a10, b01, c11);
        c00 = coopMultiplyAdd(a01, b10, c00);
        c01 = coopMultiplyAdd(a01, b11, c01);
        c10 = coopMultiplyAdd(a11, b10, c10);
        c11 = coopMultiplyAdd(a11, b11, c11);
        workgroupBarrier();
    }
    // Everything a coopStoreT takes has a name: naga 30 computes what is written in place after it.
    let row = m0 + 32u * sm;
    let column = n0 + 32u * sn;
#if VECTOR
#if !BIAS
#if !RESIDUAL
    // Nothing to add and nothing outside: straight from the matrices.
    if m0 + BM <= params.m && n0 + BN <= params.n {
        let width = params.n / 4u;
        let at00 = slab * params.m * width + row * width + column / 4u;
        let at01 = at00 + 4u;
        let at10 = at00 + 16u * width;
        let at11 = at10 + 4u;
        let d00 = c00 * params.c_factor;
        let d01 = c01 * params.c_factor;
        let d10 = c10 * params.c_factor;
        let d11 = c11 * params.c_factor;
        coopStoreT(d00, &c[at00], width);
        coopStoreT(d01, &c[at01], width);
        coopStoreT(d10, &c[at10], width);
        coopStoreT(d11, &c[at11], width);
        return;
    }
#endif
#endif
#endif
    let lane = thread % 32u;
    let at = subgroup * C_SIZE;
    let right = at + 4u;
    let d00 = c00;
    let d01 = c01;
    let d10 = c10;
    let d11 = c11;
    coopStoreT(d00, &c_tile[at], LDC);
    coopStoreT(d01, &c_tile[right], LDC);
    workgroupBarrier();
    finish_rows(slab, row, column, at, lane);
    workgroupBarrier();
    coopStoreT(d10, &c_tile[at], LDC);
    coopStoreT(d11, &c_tile[right], LDC);
    workgroupBarrier();
    finish_rows(slab, row + 16u, column, at, lane);
}
