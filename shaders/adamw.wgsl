// One AdamW step (Loshchilov & Hutter, arXiv 1711.05101, as in PyTorch) and the
// exponential moving average of the weights, over all parameters at once:
//
//   g  <- factor * g                                (unscaled, clipped to the global norm)
//   m  <- beta1 m + (1 - beta1) g
//   v  <- beta2 v + (1 - beta2) g^2
//   w  <- w (1 - lr decay) - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
//   a  <- a + (1 - ema) (w - a)
//
// bindings  1: gradients [quads] read; 2: verdict [2] read (see gradient_norm);
//           3: weights w, 4: first m, 5: second v, 6: average a, all [quads] read and write
// layout    a quad an invocation, workgroups of 256 in a folded grid
// numerics  32-bit. A step whose verdict is 0 changes nothing.

#include step
#include index

@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> verdict: array<f32>;
@group(0) @binding(3) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> second: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> average: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = folded(group, groups) * 256u + lane;
    if i >= params.quads || verdict[1] == 0.0 {
        return;
    }
    let g = verdict[0] * gradients[i];
    let m = params.beta1 * first[i] + (1.0 - params.beta1) * g;
    let v = params.beta2 * second[i] + (1.0 - params.beta2) * g * g;
    let rate = params.learning_rate;
    let decay = select(0.0, params.weight_decay, i < params.decayed_quads);
    let root = sqrt(v) / params.correction2_root + params.epsilon;
    let w = weights[i] * (1.0 - rate * decay) - (rate / params.correction1) * m / root;
    let a = average[i];
    first[i] = m;
    second[i] = v;
    weights[i] = w;
    average[i] = a + (1.0 - params.ema_decay) * (w - a);
}
