// y = LN([shuffle(x), skip]·wᵀ): pixels from coarse tokens, joined with the encoder's of their
// scale, as one kernel.
//
// bindings: 1 x [lines, line, 4·OUT], 2 γ, 3 β [OUT], 4 w [OUT, 2·OUT], 5 skip [2·lines, 2·line, OUT],
//           6 y as skip; CHANNELS is the vec4 of both parts of a row, OUT / 2
// layout:   shared/fused, without HALO; NORMED, with rows of both parts in `normal`. A tile is two
//           lines of pixels, under one line of tokens.
// numerics: shared/fused; the mean first, then the variance of the differences
#include fused

@group(0) @binding(5) var<storage, read> skip: array<S5>;
@group(0) @binding(6) var<storage, read_write> y: array<S6>;

#include fused_columns

const QUADS: u32 = OUT / 4u;

// Rows of both parts, from coarse tokens whose channel c·4 + 2·dy + dx is the pixel's c.
fn gather(tile: u32, thread: u32) {
    for (var i = thread; i < PIXELS / 4u * QUADS; i += THREADS) {
        let token = i / QUADS;
        let q = i % QUADS;
        let column = min(tile % params.tiles_x * (TILE_WIDTH / 2u) + token, params.width / 2u - 1u);
        let at = (tile / params.tiles_x * (params.width / 2u) + column) * OUT + 4u * q;
#for J 4
        let c$J = vec4<f32>(x[at + $Ju]);
#endfor
#for S 4
        {
            let row = $Su / 2u * TILE_WIDTH + 2u * token + $Su % 2u;
            normal[row * LD_NORMAL + q] = factor(vec4<f32>(c0[$S], c1[$S], c2[$S], c3[$S]));
        }
#endfor
    }
#for I SKIPS
    let i$I = min(thread + $Iu * THREADS, PIXELS * QUADS - 1u);
    let row$I = i$I / QUADS;
    let at$I = pixel_at(i32(row$I % TILE_WIDTH), i32(row$I / TILE_WIDTH));
    let skip$I = skip[at$I.index * QUADS + i$I % QUADS];
#endfor
#for I SKIPS
    normal[row$I * LD_NORMAL + QUADS + i$I % QUADS] = factor(vec4<f32>(skip$I));
#endfor
}

#include fused_main
#for L LOADS_OUT
    var wo$L = fetch_rows(0u, $Lu * THREADS + thread);
#endfor
    gather(tile, thread);
#include fused_sums
#include fused_normed
#for J OUT_COLUMNS
#if COOP
#for I OUT_ROWS
    let d$I$J = s$I$J;
    let to$I$J = (row_matrix + $Iu) * 16u * LD_RESULT + columns_from($Ju, column_matrix) / 4u;
    coopStoreT(d$I$J, &hidden[to$I$J], LD_RESULT);
#endfor
#else
#for I TURNS
    hidden[(thread / 4u + THREADS / 4u * $Iu) * LD_RESULT + columns_from($Ju, 0u) / 4u + thread % 4u] = s$I$J;
#endfor
#endif
#endfor
    workgroupBarrier();
    let count = f32(OUT);
    for (var row = thread; row < PIXELS; row += THREADS) {
        var sum = 0.0;
        for (var q = 0u; q < QUADS; q++) {
            sum += component_sum(hidden[row * LD_RESULT + q]);
        }
        let mean = sum / count;
        var squares = 0.0;
        for (var q = 0u; q < QUADS; q++) {
            let d = hidden[row * LD_RESULT + q] - mean;
            squares += dot(d, d);
        }
        // In the row's padding.
        let rstd = inverseSqrt(squares / count + EPSILON);
        hidden[row * LD_RESULT + QUADS] = vec4<f32>(mean, rstd, 0.0, 0.0);
    }
    workgroupBarrier();
    // Neighbouring invocations write neighbouring numbers.
    for (var i = thread; i < PIXELS * QUADS; i += THREADS) {
        let row = i / QUADS;
        let q = i % QUADS;
        let at = pixel_at(i32(row % TILE_WIDTH), i32(row / TILE_WIDTH));
        let spread = hidden[row * LD_RESULT + QUADS];
        if at.inside {
            let n = (hidden[row * LD_RESULT + q] - spread.x) * spread.y * gamma[q] + beta[q];
            y[at.index * QUADS + q] = narrow6(n);
        }
    }
}
