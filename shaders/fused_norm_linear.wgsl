// y = LN(x)·wᵀ [+ b] as one kernel; with MERGE of 2×2 neighbouring pixels of x as one token.
//
// bindings: 1 x [T, 4·CHANNELS], with MERGE [batch, 2·height, 2·line, CHANNELS], 2 γ, 3 β,
//           4 w [OUT, 4·CHANNELS], 5 y [T, OUT], [6 b [OUT], with BIAS]
// layout, numerics: shared/fused, without HALO; NORMED
#include fused

@group(0) @binding(5) var<storage, read_write> y: array<S5>;
#if BIAS
@group(0) @binding(6) var<storage, read> bias: array<vec4<f32>>;
#endif

#include fused_columns

fn emit(pixel: u32, quad: u32, sum: vec4<f32>) {
#if BIAS
    y[pixel * (OUT / 4u) + quad] = narrow5(sum + bias[quad]);
#else
    y[pixel * (OUT / 4u) + quad] = narrow5(sum);
#endif
}

#include fused_main
    normalise(tile, thread);
    workgroupBarrier();
#include fused_sums
    for (var slice = 0u; slice < SLICES; slice++) {
#include fused_out
    }
    workgroupBarrier();
#include fused_store
}
