// y = x + s ⊙ (GELU(u) ⊙ v)·w_outᵀ with [u; v] = w_conv ∗ (LN(x)·w_inᵀ): the gated feed-forward
// half of a block as one kernel; only x and y are in global memory.
//
// bindings: 1 x [batch, height, width, 4·CHANNELS], 2 γ, 3 β, 4 w_in [8·INNER, 4·CHANNELS],
//           5 w_conv [8·INNER, 3, 3] (f32), 6 w_out [4·CHANNELS, 4·INNER], 7 s, 8 y as x
// layout, numerics: shared/fused; a slice is made twice, u and then v
#include fused

@group(0) @binding(5) var<storage, read> w_conv: array<f32>;
@group(0) @binding(6) var<storage, read> w_out: array<S6>;
@group(0) @binding(7) var<storage, read> scale: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<S8>;

#include fused_taps
#include fused_columns

fn emit(pixel: u32, quad: u32, sum: vec4<f32>) {
    let at = pixel * CHANNELS + quad;
    y[at] = narrow8(fma(scale[quad], sum, vec4<f32>(x[at])));
}

fn gelu4(v: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w));
}

#include fused_main
    normalise(tile, thread);
    workgroupBarrier();
#include fused_sums
#for R RUN
    var gate$R = vec4<f32>();
#endfor
    for (var slice = 0u; slice < SLICES; slice++) {
#for H 2
        {
            let column = $Hu * 4u * INNER + slice * 16u;
            keep_taps(column, thread);
#include fused_in
            workgroupBarrier();
#include fused_conv
#for R RUN
#if $H
            gated[((top + $Ru) * TILE_WIDTH + left) * LD_GATED + quad] = factor(gate$R * c$R);
#else
            gate$R = gelu4(c$R);
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
