//! The operations a graph is made of, forward and backward.
//!
//! Shapes in the comments: `x` is an activation `[B, H, W, C]` (channel-last);
//! `T = B·H·W` tokens. Operands are listed in order; `[b]` stands for an
//! operand that is present only when the op's flag says so.

/// Added to the variance in every LayerNorm.
pub const LAYER_NORM_EPSILON: f32 = 1e-5;

/// Pointwise non-linearities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))): the tanh form, since WGSL has no erf.
    Gelu,
    /// x·σ(x)
    Silu,
    /// σ(x) = 1 / (1 + e^(−x))
    Sigmoid,
}

/// Channel order of a space-to-depth rearrangement of `f × f` neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RearrangeOrder {
    /// PyTorch's pixel (un)shuffle: deep channel = `c·f² + dy·f + dx`.
    PixelShuffle,
    /// Patch merging: deep channel = `(dx·f + dy)·C + c`, blocks in the order
    /// (even row, even column), (odd, even), (even, odd), (odd, odd) for `f = 2`.
    PatchMerge,
}

/// Sizes of a selective scan in up to four directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScanSpec {
    /// K: 1, 2 or 4 directions; 0 row-major, 1 column-major, 2 = 0 reversed, 3 = 1 reversed.
    pub directions: usize,
    /// N: states a channel.
    pub states: usize,
    /// R: rank of Δ.
    pub rank: usize,
    /// Decays tied to one a channel: `A_n = −n·exp(a_log)`, n = 1..N, `a_log` is `[K, D]`;
    /// otherwise `A_n = −exp(a_log[n])`, `a_log` is `[K, D, N]`.
    pub tied: bool,
    /// Every direction runs from its other end: 0 becomes 2 and 2 becomes 0, 1 becomes 3.
    pub backward: bool,
}

impl ScanSpec {
    /// Channels of the projected operand for one direction: `r` (R), `B` (N), `C` (N).
    pub fn projected(&self) -> usize {
        self.rank + 2 * self.states
    }

    /// Which of the four directions the k-th one is.
    pub fn direction(&self, k: usize) -> usize {
        if self.backward { (k + 2) % 4 } else { k }
    }
}

/// Training losses; both average over all elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// mean √((p − t)² + ε²)
    Charbonnier {
        /// ε
        epsilon: f32,
    },
    /// mean |p − t|
    L1,
}

/// One operation. Every op has a CPU implementation and a WGSL one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// `x [.., I], w [O, I], [b [O]], [res [.., O], s [O]] → [.., O]`:
    /// `x·wᵀ + b`, and with `residual` `res + s ⊙ (x·wᵀ + b)` (made by fusion).
    Linear {
        /// Whether `b` is present.
        bias: bool,
        /// Whether `res` and `s` are present.
        residual: bool,
    },
    /// `x [.., C], γ [C], β [C] → [.., C]`: normalised over the channels of each token.
    LayerNorm,
    /// `x [.., C], γ, β, z [.., C] → LN(x) ⊙ SiLU(z)` (made by fusion).
    LayerNormSiluGate,
    /// `x [B,H,W,I], w [O,I,3,3], b [O] → [B,H,W,O]`: zero padding, stride 1.
    Conv3x3,
    /// `x [B,H,W,C], w [C,1,3,3], [b [C]] → [B,H,W,C]`: zero padding; the activation is made by fusion.
    DepthwiseConv3x3 {
        /// Whether `b` is present.
        bias: bool,
        /// Applied to the result.
        activation: Option<Activation>,
    },
    /// `x [B,H,W,2E], w [2E,1,3,3], [b [2E]] → GELU(c[.., ..E]) ⊙ c[.., E..] [B,H,W,E]`, where
    /// `c = w ∗ x + b` is the depthwise convolution (made by fusion).
    DepthwiseGeluGate {
        /// Whether `b` is present.
        bias: bool,
    },
    /// `v [B,H,W,D], p [B,H,W,K·(R+2N)], w_dt [K,D,R], b_dt [K,D], a_log, d [K,D] → y [B,H,W,D]`.
    ///
    /// For each direction k, with `[r; B; C]` the k-th block of `p`'s channels and tokens in
    /// order k: `Δ = softplus(w_dt[k]·r + b_dt[k])`, `h = exp(Δ·A)·h + Δ·v·B`, `y_k = C·h + d[k]·v`;
    /// `y = Σ_k y_k` in image order. Softplus is the identity above 20.
    /// (Gu & Dao, arXiv 2312.00752; four directions: VMamba, arXiv 2401.10166.)
    SelectiveScan(ScanSpec),
    /// `x [B,H,W,C], γ, β, w_in [2E,C], w [2E,1,3,3], w_out [C,E], s [C]
    /// → x + s ⊙ GeluGate(w ∗ (LN(x)·w_inᵀ))·w_outᵀ`: the gated half of a block (made by fusion).
    FusedFfn,
    /// `x [B,H,W,C], γ, β, w_in [D,C], w [D,1,3,3], b [D], w_x [P,D] → v [B,H,W,D], p [B,H,W,P]`:
    /// `v = SiLU(w ∗ (LN(x)·w_inᵀ) + b)`, `p = v·w_xᵀ`, what a scan reads (made by fusion).
    FusedScanInput,
    /// `x [B,H,W,C], γ, β, w_z [D,C], y [B,H,W,D], γ₂, β₂ [D], w_out [C,D], s [C]
    /// → x + s ⊙ (LN₂(y) ⊙ SiLU(LN(x)·w_zᵀ))·w_outᵀ`: what follows a scan (made by fusion).
    FusedScanOutput,
    /// `x [B,H,W,C], γ, β, w [O,C], [b [O]] → LN(x)·wᵀ + b` (made by fusion).
    FusedNormLinear {
        /// Whether `b` is present.
        bias: bool,
    },
    /// `x [B,H,W,4C], γ, β [C], w [C,2C], skip [B,2H,2W,C] → LN([shuffle(x), skip]·wᵀ)`, where the
    /// pixel shuffle gives `[B,2H,2W,C]` (made by fusion).
    FusedExpand,
    /// `x → f(x)`
    Activation(Activation),
    /// `n, z → n ⊙ SiLU(z)`
    SiluGate,
    /// `x [.., 2E] → GELU(x[.., ..E]) ⊙ x[.., E..]`
    GeluGate,
    /// `x, f, s [C] → x + s ⊙ f`
    AddScaled,
    /// `a, b → a + b`
    Add,
    /// `a [.., A], b [.., B] → [.., A+B]`
    ConcatChannels,
    /// `x [.., C] → x[.., start..start+len]`
    SliceChannels {
        /// First channel.
        start: usize,
        /// Number of channels.
        len: usize,
    },
    /// `[B, fH, fW, C] → [B, H, W, f²C]`
    SpaceToDepth {
        /// f
        factor: usize,
        /// Channel order of the deep side.
        order: RearrangeOrder,
    },
    /// `[B, H, W, f²C] → [B, fH, fW, C]`
    DepthToSpace {
        /// f
        factor: usize,
        /// Channel order of the deep side.
        order: RearrangeOrder,
    },
    /// `[B,H,W,C] → [B,fH,fW,C]`: bicubic, a = −0.5, half-pixel centres, edges replicated. Inputs only.
    UpsampleBicubic {
        /// f
        factor: usize,
    },
    /// `[B,H,W,C] → [B,1,1,C]`: mean over the pixels.
    GlobalAveragePool,
    /// `x [B,H,W,C], s [B,1,1,C] → x ⊙ s`
    MulChannels,
    /// `prediction, target → [1]`
    Loss(Loss),

    /// `gy [.., O], w [O, I] → gx [.., I]`: `gy·w`
    LinearBackwardInput,
    /// `gy [.., O], x [.., I] → gw [O, I]`: `gyᵀ·x`
    LinearBackwardWeight,
    /// `gy [.., C] → [C]`: sum over the tokens (gradient of a bias).
    SumTokens,
    /// `x, γ, gy, [gy2], [g [.., C]] → gx, gγ, gβ`; with `pair` the gradient is `gy + gy2`, with
    /// `accumulate` `g` is added to `gx` (both made by fusion).
    LayerNormBackward {
        /// Whether `gy2` is present.
        pair: bool,
        /// Whether `g` is present.
        accumulate: bool,
    },
    /// `x, γ, β, z, gy → gx, gγ, gβ, gz`
    LayerNormSiluGateBackward,
    /// `gy [B,H,W,O], w [O,I,3,3] → gx [B,H,W,I]`
    Conv3x3BackwardInput,
    /// `gy [B,H,W,O], x [B,H,W,I] → gw [O,I,3,3]`
    Conv3x3BackwardWeight,
    /// `gy [B,H,W,C], x, w [C,1,3,3] → gx, gw, [gb [C]]`: both gradients come from the same
    /// nine neighbours of `gy`.
    DepthwiseConv3x3Backward {
        /// Whether `gb` is wanted.
        bias: bool,
    },
    /// `x, w [C,1,3,3], [b [C]], gy, [gy2] → (gy [+ gy2]) ⊙ f′(w ∗ x + b)`: the gradient of the
    /// result of the convolution, which is computed again.
    DepthwiseActivationBackward {
        /// Whether `b` is present.
        bias: bool,
        /// f
        activation: Activation,
        /// Whether `gy2` is present (made by fusion).
        pair: bool,
    },
    /// `x [B,H,W,2E], w, [b], gy [B,H,W,E] → gc [B,H,W,2E]`: the gradient of the result of the
    /// convolution, which is computed again.
    DepthwiseGeluGateBackward {
        /// Whether `b` is present.
        bias: bool,
    },
    /// `w [O, I], s [O] → s ⊙ w`: each row times its scale.
    ScaleRows,
    /// `w [O, I], s [O], g [O, I] → s ⊙ g [O, I], Σ_I w ⊙ g [O]`
    ScaleRowsBackward,
    /// `v, p, w_dt, b_dt, a_log, d, gy → gv, gp, gw_dt, gb_dt, ga_log, gd`
    SelectiveScanBackward(ScanSpec),
    /// `x, gy → gx`
    ActivationBackward(Activation),
    /// `n, z, gy → gn, gz`
    SiluGateBackward,
    /// `x [.., 2E], gy [.., E] → gx [.., 2E]`
    GeluGateBackward,
    /// `f, s [C], gy → gf, gs [C]` (the gradient of `x` is `gy` itself)
    AddScaledBackward,
    /// `gy [B,1,1,C] → [B,H,W,C]`
    GlobalAveragePoolBackward {
        /// H of the pooled input.
        height: usize,
        /// W of the pooled input.
        width: usize,
    },
    /// `x, s [B,1,1,C], gy → gx, gs`
    MulChannelsBackward,
    /// `prediction, target → ∂loss/∂prediction`
    LossBackward(Loss),
}

impl Op {
    /// The variant's name, for errors, traces and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Linear { .. } => "Linear",
            Op::LayerNorm => "LayerNorm",
            Op::LayerNormSiluGate => "LayerNormSiluGate",
            Op::Conv3x3 => "Conv3x3",
            Op::DepthwiseConv3x3 { .. } => "DepthwiseConv3x3",
            Op::DepthwiseGeluGate { .. } => "DepthwiseGeluGate",
            Op::SelectiveScan(_) => "SelectiveScan",
            Op::FusedFfn => "FusedFfn",
            Op::FusedScanInput => "FusedScanInput",
            Op::FusedScanOutput => "FusedScanOutput",
            Op::FusedNormLinear { .. } => "FusedNormLinear",
            Op::FusedExpand => "FusedExpand",
            Op::Activation(_) => "Activation",
            Op::SiluGate => "SiluGate",
            Op::GeluGate => "GeluGate",
            Op::AddScaled => "AddScaled",
            Op::Add => "Add",
            Op::ConcatChannels => "ConcatChannels",
            Op::SliceChannels { .. } => "SliceChannels",
            Op::SpaceToDepth { .. } => "SpaceToDepth",
            Op::DepthToSpace { .. } => "DepthToSpace",
            Op::UpsampleBicubic { .. } => "UpsampleBicubic",
            Op::GlobalAveragePool => "GlobalAveragePool",
            Op::MulChannels => "MulChannels",
            Op::Loss(_) => "Loss",
            Op::LinearBackwardInput => "LinearBackwardInput",
            Op::LinearBackwardWeight => "LinearBackwardWeight",
            Op::SumTokens => "SumTokens",
            Op::LayerNormBackward { .. } => "LayerNormBackward",
            Op::LayerNormSiluGateBackward => "LayerNormSiluGateBackward",
            Op::Conv3x3BackwardInput => "Conv3x3BackwardInput",
            Op::Conv3x3BackwardWeight => "Conv3x3BackwardWeight",
            Op::DepthwiseConv3x3Backward { .. } => "DepthwiseConv3x3Backward",
            Op::DepthwiseActivationBackward { .. } => "DepthwiseActivationBackward",
            Op::DepthwiseGeluGateBackward { .. } => "DepthwiseGeluGateBackward",
            Op::ScaleRows => "ScaleRows",
            Op::ScaleRowsBackward => "ScaleRowsBackward",
            Op::SelectiveScanBackward(_) => "SelectiveScanBackward",
            Op::ActivationBackward(_) => "ActivationBackward",
            Op::SiluGateBackward => "SiluGateBackward",
            Op::GeluGateBackward => "GeluGateBackward",
            Op::AddScaledBackward => "AddScaledBackward",
            Op::GlobalAveragePoolBackward { .. } => "GlobalAveragePoolBackward",
            Op::MulChannelsBackward => "MulChannelsBackward",
            Op::LossBackward(_) => "LossBackward",
        }
    }
}
