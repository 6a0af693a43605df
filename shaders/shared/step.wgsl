// Settings of one optimiser step, written before each step.
// Flat buffers hold all parameters one after the other, decayed ones first,
// each starting at a multiple of 64 floats; the gaps are zero and stay so.
struct Params {
    quads: u32,            // vec4 elements of a flat buffer
    decayed_quads: u32,    // of which the first take weight decay
    slot: u32,             // where the report goes
    groups: u32,           // workgroups (= partial sums) of gradient_squares
    learning_rate: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    weight_decay: f32,
    clip_norm: f32,
    ema_decay: f32,
    correction1: f32,      // 1 - beta1^t
    correction2_root: f32, // sqrt(1 - beta2^t)
    unscale: f32,          // 1 / what the gradients were multiplied by on their way
}

@group(0) @binding(0) var<uniform> params: Params;
