// y = LN(x)·wᵀ [+ b] as one kernel.
//
// bindings: 1 x [T, 4·CHANNELS], 2 γ, 3 β, 4 w [OUT, 4·CHANNELS], 5 y [T, OUT],
//           [6 b [OUT], with BIAS]
// layout, numerics: shared/fused, without HALO; NORMED
#include fused

@group(0) @binding(5) var<storage, read_write> y: array<S5>;
#if BIAS
@group(0) @binding(6) var<storage, read> bias: array<vec4<f32>>;
#endif

#include fused_columns

fn before(pixel: u32, quad: u32) -> vec4<f32> {
    return vec4<f32>();
}

fn emit(pixel: u32, quad: u32, sum: vec4<f32>, before: vec4<f32>) {
#if BIAS
    y[pixel * (OUT / 4u) + quad] = narrow5(sum + bias[quad]);
#else
    y[pixel * (OUT / 4u) + quad] = narrow5(sum);
#endif
}

#include fused_main
#for L LOADS_OUT
    var wo$L = fetch_rows(0u, $Lu * THREADS + thread);
#endfor
    normalise(thread);
#include fused_sums
#include fused_normed
    workgroupBarrier();
#include fused_store
}
