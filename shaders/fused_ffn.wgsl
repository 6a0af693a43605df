// y = x + s ⊙ (GELU(u) ⊙ v)·w_outᵀ with [u; v] = w_conv ∗ (LN(x)·w_inᵀ): the gated feed-forward
// half of a block as one kernel; only x and y are in global memory.
//
// bindings: 1 x [batch, height, width, 4·CHANNELS], 2 γ, 3 β, 4 w_in [8·INNER, 4·CHANNELS],
//           5 w_conv [8·INNER, 3, 3] (f32), 6 w_out [4·CHANNELS, 4·INNER], 7 s, 8 y as x
// layout, numerics: shared/fused; a slice is made twice, u and then v
#include fused

@group(0) @binding(5) var<storage, read> w_conv: array<Part>;
@group(0) @binding(6) var<storage, read> w_out: array<S6>;
@group(0) @binding(7) var<storage, read> scale: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<S8>;

#include fused_columns

fn before(pixel: u32, quad: u32) -> vec4<f32> {
    return vec4<f32>(x[pixel * CHANNELS + quad]);
}

fn emit(pixel: u32, quad: u32, sum: vec4<f32>, before: vec4<f32>) {
    y[pixel * CHANNELS + quad] = narrow8(fma(scale[quad], sum, before));
}

fn gelu2(v: Part) -> Part {
    return Part(gelu(v.x), gelu(v.y));
}

#include fused_main
#for L LOADS_IN
    var wi$L = fetch_columns(0u, $Lu * THREADS + thread);
#endfor
    normalise(thread);
    let after = 4u * INNER;
#include fused_first
#for R RUN
    var gate$R = Part();
#endfor
    for (var slice = 0u; slice < SLICES; slice++) {
        let next = min(slice + 1u, SLICES - 1u);
#for H 2
        {
            let column = $Hu * 4u * INNER + slice * 16u;
#include fused_in
#include fused_taps
            workgroupBarrier();
#if $H
#for L LOADS_OUT
            keep_rows(rows_at, $Lu * THREADS + thread, wo$L);
            wo$L = fetch_rows(next, $Lu * THREADS + thread);
#endfor
#endif
#for L LOADS_IN
            keep_columns($Lu * THREADS + thread, wi$L);
            wi$L = fetch_columns($Hu * 4u * INNER + next * 16u, $Lu * THREADS + thread);
#endfor
#include fused_conv
#for R RUN
#if $H
            gated[((top + $Ru) * TILE_WIDTH + left) * LD_GATED + part] = gated_part(gate$R * c$R);
#else
            gate$R = gelu2(c$R);
#endif
#endfor
            workgroupBarrier();
        }
#endfor
#include fused_out
    }
    workgroupBarrier();
#include fused_store
}
