// The non-linearities for whole lanes, and the one a constant names:
// ACTIVATION 0 identity, 1 ReLU, 2 GELU, 3 SiLU, 4 sigmoid.
#include lanes
#include activation

fn activate_scalar(x: f32) -> f32 {
    if (ACTIVATION == 1u) {
        return max(x, 0.0);
    }
    if (ACTIVATION == 2u) {
        return gelu(x);
    }
    if (ACTIVATION == 3u) {
        return silu(x);
    }
    if (ACTIVATION == 4u) {
        return sigmoid(x);
    }
    return x;
}

fn derivative_scalar(x: f32) -> f32 {
    if (ACTIVATION == 1u) {
        return select(0.0, 1.0, x > 0.0);
    }
    if (ACTIVATION == 2u) {
        return gelu_derivative(x);
    }
    if (ACTIVATION == 3u) {
        return silu_derivative(x);
    }
    if (ACTIVATION == 4u) {
        // 1 − σ(x) = σ(−x) without cancellation.
        return sigmoid(x) * sigmoid(-x);
    }
    return 1.0;
}

#if VEC4
fn activate(x: V) -> V {
    return V(activate_scalar(x.x), activate_scalar(x.y), activate_scalar(x.z), activate_scalar(x.w));
}

fn derivative(x: V) -> V {
    return V(derivative_scalar(x.x), derivative_scalar(x.y), derivative_scalar(x.z), derivative_scalar(x.w));
}
#else
#if VEC2
fn activate(x: V) -> V {
    return V(activate_scalar(x.x), activate_scalar(x.y));
}

fn derivative(x: V) -> V {
    return V(derivative_scalar(x.x), derivative_scalar(x.y));
}
#else
fn activate(x: V) -> V {
    return activate_scalar(x);
}

fn derivative(x: V) -> V {
    return derivative_scalar(x);
}
#endif
#endif
