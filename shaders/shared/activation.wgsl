// Pointwise non-linearities and their derivatives, safe at both ends of the
// range: exp may overflow to infinity, where 1/(1+inf) = 0 is the limit.

fn sigmoid(x: f32) -> f32 {
    // exp of a non-positive number only: no infinity, whatever the driver makes of one.
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn silu(x: f32) -> f32 {
    return x * sigmoid(x);
}

// d/dx x*s(x) = s + x*s*(1-s)
fn silu_derivative(x: f32) -> f32 {
    let s = sigmoid(x);
    return s * (1.0 + x * (1.0 - s));
}

// tanh as a sigmoid: some drivers' tanh overflows for |x| > 44 (exp(2x) = inf, inf/inf = NaN).
fn tanh_safe(x: f32) -> f32 {
    return 2.0 * sigmoid(2.0 * x) - 1.0;
}

const SQRT_2_OVER_PI: f32 = 0.7978845608;
const GELU_CUBIC: f32 = 0.044715;

// 0.5*x*(1 + tanh(u)) = x*sigmoid(2u), u = sqrt(2/pi)*(x + 0.044715*x^3)
fn gelu(x: f32) -> f32 {
    let u = SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x);
    return x * sigmoid(2.0 * u);
}

// With s = sigmoid(2u): s + x * 2*s*(1-s) * u'
fn gelu_derivative(x: f32) -> f32 {
    let u = SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x);
    let du = SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * x * x);
    let s = sigmoid(2.0 * u);
    // s*(1-s) underflows to 0 before du grows to infinity for any finite x below 1e18.
    return s + 2.0 * x * s * (1.0 - s) * du;
}

// ln(1 + e^x); the identity above 20, where the difference is below half a unit in the last place.
fn softplus(x: f32) -> f32 {
    // For small e^x log(1 + e) loses digits: ln(1+e) = e - e^2/2 + e^3/3 below 1/128 (error e^4/4).
    let e = exp(min(x, 20.0));
    let small = e * (1.0 - e * (0.5 - e * 0.33333334));
    return select(select(log(1.0 + e), small, e < 0.0078125), x, x > 20.0);
}

// d/dx ln(1+e^x) = sigmoid(x); 1 above 20, as the forward's identity has it.
fn softplus_derivative(x: f32) -> f32 {
    return select(sigmoid(x), 1.0, x > 20.0);
}
