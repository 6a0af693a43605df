// Arithmetic rate: chains of fma (exp2 with EXP2) that stay in registers. For `serpent bench` only.
//
// bindings: 1 sums [threads], written so that nothing can be left out
// layout:   16 chains a thread, ROUNDS links each; a grid that ends where `sums` ends

struct Params {
    // Near 0.5; unknown to the compiler.
    seed: f32,
    rounds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

fn link(x: vec4<f32>) -> vec4<f32> {
#if EXP2
    return exp2(-x);
#else
    return fma(x, vec4(params.seed), vec4(params.seed));
#endif
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var a = vec4(params.seed, 0.1, 0.2, 0.3) + f32(id.x & 7u);
    var b = a + 0.01;
    var c = a + 0.02;
    var d = a + 0.03;
    for (var i = 0u; i < params.rounds; i++) {
        a = link(a);
        b = link(b);
        c = link(c);
        d = link(d);
    }
    let sum = a + b + c + d;
    sums[id.x] = sum.x + sum.y + sum.z + sum.w;
}
