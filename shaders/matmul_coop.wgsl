// Matrix product C = A·B on tensor cores: 16-bit factors, 32-bit sums.
// Same products, bindings, epilogue and slabs as matmul.wgsl (see shared/matmul_io.wgsl).
//
// Layout: a workgroup of SG_M × SG_N × SG_K subgroups of 32 makes tiles of BM × BN of one
//   slab; a subgroup makes TM × TN cooperative matrices of 16 × 16 of a tile, from its share
//   of every BK terms. BK terms at a time go through workgroup memory, laid out as in global
//   memory so that loads into cooperative matrices are row- or column-major, rows padded by
//   16 bytes against bank conflicts; the terms of the next AHEAD steps are on their way in
//   registers meanwhile.
//   A workgroup goes over every row_groups-th tile of rows, the first terms of the next on their way
//   while it writes one out. KEEP_B: it keeps all of B for its columns in workgroup memory, so that A
//   is all that streams.
//   Matrices are named one by one: indexed ones would go to memory.
// Constants: AHEAD; SG_M, SG_N, SG_K, TM, TN; BM = 16·TM·SG_M, BN = 16·TN·SG_N; BK = 16·STEPS·SG_K;
//   LOADS_A, LOADS_B: vec4 an invocation stages; STORES: how often it writes of 16 rows of every
//   share, four numbers at a time or, with EIGHTS (16-bit results, SG_K = 1), eight; with KEEP_B, KEPT: k, rounded up to BK; flags.
//   WHOLE: no tile has anything outside, rows have STRIDE_A, STRIDE_B and STRIDE_C numbers: no branch,
//   no comparison, and places at known distances instead of one a register. The last
//   tile then ends with the last row; rows that it shares with the one before are made twice, alike.
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
// 16 rows of each subgroup's results on their way out, padded by 32 bytes: rows of a matrix then
// begin 8 or 24 banks apart, and what a store writes of four of them meets no bank twice.
const LDC: u32 = 4u * TN + 2u;
const C_SIZE: u32 = 16u * LDC;
// vec4 that an invocation writes at a time.
const AT_ONCE: u32 = 1u + EIGHTS;

var<workgroup> a_tile: array<vec4<f16>, A_ROWS * LDA>;
var<workgroup> b_tile: array<vec4<f16>, B_ROWS * LDB>;
var<workgroup> c_tile: array<vec4<f32>, SHARES * SG_K * C_SIZE>;

#include matmul_tile

// First row of a tile.
fn row_of(tile: u32) -> u32 {
#if WHOLE
    return min(tile * BM, params.m - BM);
#else
    return tile * BM;
#endif
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
#if EIGHTS
    let odd = thread % 2u == 1u;
#endif
    var tile = group % groups / params.tiles_n;
    var k0 = begin;
    // Of what is fetched next, in AHEAD sets of registers (U).
    var tile_ahead = tile;
    var k_ahead = begin;
#if KEEP_B
#for L LOADS_B
    let fb$L = fetch_b($Lu, thread, n0, begin);
#endfor
#for L LOADS_B
    keep_b($Lu, thread, fb$L);
#endfor
#endif
#for U AHEAD
#for L LOADS_A
    var fa$U_$L = fetch_a($Lu, thread, row_of(tile_ahead), k_ahead);
#endfor
#if !KEEP_B
#for L LOADS_B
    var fb$U_$L = fetch_b($Lu, thread, n0, k_ahead);
#endfor
#endif
    let wraps$U = k_ahead + BK >= end;
    tile_ahead = select(tile_ahead, tile_ahead + params.row_groups, wraps$U);
    k_ahead = select(k_ahead + BK, begin, wraps$U);
#endfor
    loop {
#for U AHEAD
        {
#for L LOADS_A
            keep_a($Lu, thread, fa$U_$L);
#endfor
#if !KEEP_B
#for L LOADS_B
            keep_b($Lu, thread, fb$U_$L);
#endfor
#endif
            workgroupBarrier();
            let m0 = row_of(tile);
#if KEEP_B
            let b1 = b0 + k0 / 16u * B_K;
#else
            let b1 = b0;
#endif
            let last = k0 + BK >= end;
            tile = select(tile, tile + params.row_groups, last);
            k0 = select(k0 + BK, begin, last);
            // Beyond the last tile these are whatever stands at its end.
#for L LOADS_A
            fa$U_$L = fetch_a($Lu, thread, row_of(tile_ahead), k_ahead);
#endfor
#if !KEEP_B
#for L LOADS_B
            fb$U_$L = fetch_b($Lu, thread, n0, k_ahead);
#endfor
#endif
            let wraps = k_ahead + BK >= end;
            tile_ahead = select(tile_ahead, tile_ahead + params.row_groups, wraps);
            k_ahead = select(k_ahead + BK, begin, wraps);
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
#include matmul_coop_out
                if tile >= params.tiles_m {
                    break;
                }
            }
            workgroupBarrier();
        }
#endfor
    }
    // Never. But what is needed after the loop, too, NVIDIA's compiler loads where the text does; else
    // only after the way out of the loop, right before it is waited for.
    if params.row_groups == 0u {
        let unused = vec4<f32>(
#for U AHEAD
#for L LOADS_A
            fa$U_$L +
#endfor
#if !KEEP_B
#for L LOADS_B
            fb$U_$L +
#endfor
#endif
#endfor
            vec4<f16>()
        );
#if EIGHTS
        c[thread] = vec4<u32>(packed(unused), packed(unused));
#else
#if VECTOR_C
        c[thread] = WordC(unused);
#else
        c[thread] = unused.x;
#endif
#endif
    }
}
