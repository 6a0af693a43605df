// Matrix product C = A·B on tensor cores: 16-bit factors, 32-bit sums.
// Same products, bindings, epilogue and slabs as matmul.wgsl (see shared/matmul_io.wgsl).
//
// Layout: a workgroup of SG_M × SG_N × SG_K subgroups of 32 makes tiles of BM × BN of one
//   slab; a subgroup makes TM × TN cooperative matrices of 16 × 16 of a tile, from its share
//   of every BK terms. BK terms at a time go through workgroup memory, laid out as in global
//   memory so that loads into cooperative matrices are row- or column-major, rows padded by
//   16 bytes against bank conflicts; the next ones are on their way in registers meanwhile.
//   KEEP_B: the workgroup keeps all of B for its columns in workgroup memory and goes over
//   every row_groups-th tile of rows, so that A is all that streams.
//   Matrices are named one by one: indexed ones would go to memory.
// Constants: SG_M, SG_N, SG_K, TM, TN; BM = 16·TM·SG_M, BN = 16·TN·SG_N; BK = 16·STEPS·SG_K;
//   LOADS_A, LOADS_B: vec4 an invocation stages; with KEEP_B, KEPT: k, rounded up to BK; flags.
// Numerics: factors are rounded to 16 bits, saturating; sums are 32-bit.
// Needs: subgroups of exactly 32, numbered as the invocations are; 16 × 16 × 16 of f16
//   with f32 sums; 48 KiB of workgroup memory.

enable f16;
enable wgpu_cooperative_matrix;
#include matmul_io

const SHARES: u32 = SG_M * SG_N;
const THREADS: u32 = 32u * SHARES * SG_K;

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
#if KEEP_B
const B_DEPTH: u32 = KEPT;
#else
const B_DEPTH: u32 = BK;
#endif
#if B_BY_ROWS
const B_ROWS: u32 = B_DEPTH;
const B_WIDTH: u32 = BN / 4u;
const LDB: u32 = B_WIDTH + 2u;
const B_N: u32 = 4u;
const B_K: u32 = 16u * LDB;
#else
const B_ROWS: u32 = BN;
const B_WIDTH: u32 = B_DEPTH / 4u;
const LDB: u32 = B_WIDTH + 2u;
const B_N: u32 = 16u * LDB;
const B_K: u32 = 4u;
#endif
// 16 rows of each subgroup's results on their way out, padded by 16 bytes.
const LDC: u32 = 4u * TN + 1u;
const C_SIZE: u32 = 16u * LDC;
// vec4 of 16 rows of every share.
const ROW_WORDS: u32 = SG_M * 16u * (BN / 4u);

var<workgroup> a_tile: array<vec4<f16>, A_ROWS * LDA>;
var<workgroup> b_tile: array<vec4<f16>, B_ROWS * LDB>;
var<workgroup> c_tile: array<vec4<f32>, SHARES * SG_K * C_SIZE>;

// The i-th four numbers of the tile of a at row m0 of the result and term k0.
fn fetch_a(i: u32, m0: u32, k0: u32) -> vec4<f16> {
    let row = i / A_WIDTH;
    let column = 4u * (i % A_WIDTH);
    if row >= A_ROWS {
        return vec4<f16>();
    }
#if A_BY_COLUMNS
    return narrow_a(k0 + row, m0 + column, params.k, params.m);
#else
    return narrow_a(m0 + row, k0 + column, params.m, params.k);
#endif
}

fn narrow_a(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f16> {
#if HALF1
    if row >= rows || column >= columns {
        return vec4<f16>();
    }
    return a[(row * columns + column) / 4u];
#else
    return narrow(load_a(row, column, rows, columns));
#endif
}

fn fetch_b(i: u32, n0: u32, k0: u32) -> vec4<f16> {
    let row = i / B_WIDTH;
    let column = 4u * (i % B_WIDTH);
    if row >= B_ROWS {
        return vec4<f16>();
    }
#if B_BY_ROWS
    return narrow_b(k0 + row, n0 + column, params.k, params.n);
#else
    return narrow_b(n0 + row, k0 + column, params.n, params.k);
#endif
}

fn narrow_b(row: u32, column: u32, rows: u32, columns: u32) -> vec4<f16> {
#if HALF2
    if row >= rows || column >= columns {
        return vec4<f16>();
    }
    return b[(row * columns + column) / 4u];
#else
    return narrow(load_b(row, column, rows, columns));
#endif
}

fn narrow(v: vec4<f32>) -> vec4<f16> {
    return vec4<f16>(clamp(v, vec4(-65504.0), vec4(65504.0)));
}

fn keep_a(i: u32, v: vec4<f16>) {
    if i / A_WIDTH < A_ROWS {
        a_tile[i / A_WIDTH * LDA + i % A_WIDTH] = v;
    }
}

fn keep_b(i: u32, v: vec4<f16>) {
    if i / B_WIDTH < B_ROWS {
        b_tile[i / B_WIDTH * LDB + i % B_WIDTH] = v;
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
    let groups = params.row_groups * params.tiles_n;
    let slab = group / groups;
    if slab >= params.slabs {
        return;
    }
    // Neighbouring workgroups share rows of a.
    let n0 = (group % params.tiles_n) * BN;
    let begin = slab * params.slab;
    let end = min(params.k, begin + params.slab);
    let subgroup = thread / 32u;
    let share = subgroup % SHARES;
    // The subgroup's first matrices of each tile.
    let sk = subgroup / SHARES * STEPS;
    let a0 = share / SG_N * TM * A_M + sk * A_K;
    let b0 = share % SG_N * TN * B_N + sk * B_K;
    let c0 = subgroup * C_SIZE;
#for I TM
#for J TN
    var c$I$J = coop_mat16x16<f32, C>();
#endfor
#endfor
    var tile = group % groups / params.tiles_n;
    var k0 = begin;
#for L LOADS_A
    var fa$L = fetch_a($Lu * THREADS + thread, tile * BM, k0);
#endfor
#if KEEP_B
    for (var i = thread; i < B_ROWS * B_WIDTH; i += THREADS) {
        keep_b(i, fetch_b(i, n0, 0u));
    }
#else
#for L LOADS_B
    var fb$L = fetch_b($Lu * THREADS + thread, n0, k0);
#endfor
#endif
    loop {
#for L LOADS_A
        keep_a($Lu * THREADS + thread, fa$L);
#endfor
#if !KEEP_B
#for L LOADS_B
        keep_b($Lu * THREADS + thread, fb$L);
#endfor
#endif
        workgroupBarrier();
        let m0 = tile * BM;
#if KEEP_B
        let b1 = b0 + k0 / 16u * B_K;
#else
        let b1 = b0;
#endif
        let last = k0 + BK >= end;
        tile = select(tile, tile + params.row_groups, last);
        k0 = select(k0 + BK, begin, last);
        // Beyond the last tile these are zero, without touching memory.
#for L LOADS_A
        fa$L = fetch_a($Lu * THREADS + thread, tile * BM, k0);
#endfor
#if !KEEP_B
        if tile < params.tiles_m {
#for L LOADS_B
            fb$L = fetch_b($Lu * THREADS + thread, n0, k0);
#endfor
        }
#endif
#for S STEPS
#for I TM
#if A_BY_COLUMNS
        let a$I_$S = coopLoad<coop_mat16x16<f16, A>>(&a_tile[a0 + $Su * A_K + $Iu * A_M], LDA);
#else
        let a$I_$S = coopLoadT<coop_mat16x16<f16, A>>(&a_tile[a0 + $Su * A_K + $Iu * A_M], LDA);
#endif
#endfor
#for J TN
#if B_BY_ROWS
        let b$J_$S = coopLoadT<coop_mat16x16<f16, B>>(&b_tile[b1 + $Su * B_K + $Ju * B_N], LDB);
#else
        let b$J_$S = coopLoad<coop_mat16x16<f16, B>>(&b_tile[b1 + $Su * B_K + $Ju * B_N], LDB);
#endif
#for I TM
        c$I$J = coopMultiplyAdd(a$I_$S, b$J_$S, c$I$J);
#endfor
#endfor
#endfor
        if last {
            // 16 rows of every share at a time; what is written has a name, because naga 30
            // computes what is written in place after the write.
#for I TM
#for J TN
            let d$I$J = c$I$J;
            let at$I$J = c0 + $Ju * 4u;
            coopStoreT(d$I$J, &c_tile[at$I$J], LDC);
            c$I$J = coop_mat16x16<f32, C>();
#endfor
            workgroupBarrier();
            for (var i = thread; i < ROW_WORDS; i += THREADS) {
                let row = i / (BN / 4u);
                let column = i % (BN / 4u);
                let share0 = (row / 16u * SG_N + column / (4u * TN)) * C_SIZE;
                let at = share0 + row % 16u * LDC + column % (4u * TN);
                var sums = c_tile[at];
                for (var s = 1u; s < SG_K; s++) {
                    sums += c_tile[at + s * SHARES * C_SIZE];
                }
                store(slab, m0 + (row / 16u * TM + $Iu) * 16u + row % 16u, n0 + 4u * column, sums);
            }
            workgroupBarrier();
#endfor
            if tile >= params.tiles_m {
                break;
            }
        }
        workgroupBarrier();
    }
}
