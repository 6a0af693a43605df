//! Shape inference: every op's contract, checked once when a node is added.

use super::{Op, ScanSpec};

/// Sizes of a tensor, outermost first.
pub type Dims = Vec<usize>;

/// Number of elements of a tensor of these sizes.
pub fn elements(dims: &[usize]) -> usize {
    dims.iter().product()
}

/// An op was given operands that do not fit.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{op} at {label}: {problem}")]
pub struct ShapeError {
    /// Name of the op.
    pub op: &'static str,
    /// Where in the network.
    pub label: String,
    /// What does not fit.
    pub problem: String,
}

impl ShapeError {
    pub(super) fn at(mut self, label: &str) -> Self {
        self.label = label.to_owned();
        self
    }
}

/// Operand shapes of one op under inspection.
struct Operands<'a> {
    op: &'static str,
    dims: &'a [&'a [usize]],
}

impl Operands<'_> {
    fn fail<T>(&self, problem: String) -> Result<T, ShapeError> {
        Err(ShapeError {
            op: self.op,
            label: String::new(),
            problem,
        })
    }

    fn count(&self, n: usize) -> Result<(), ShapeError> {
        if self.dims.len() == n {
            return Ok(());
        }
        self.fail(format!("takes {n} operands, got {}", self.dims.len()))
    }

    /// Operand `i` as an activation `[B, H, W, C]`.
    fn activation(&self, i: usize) -> Result<[usize; 4], ShapeError> {
        match *self.dims[i] {
            [b, h, w, c] if b * h * w * c > 0 => Ok([b, h, w, c]),
            _ => self.fail(format!(
                "operand {i} must be a non-empty [B, H, W, C], got {:?}",
                self.dims[i]
            )),
        }
    }

    fn expect(&self, i: usize, want: &[usize]) -> Result<(), ShapeError> {
        if self.dims[i] == want {
            return Ok(());
        }
        self.fail(format!(
            "operand {i} must be {want:?}, got {:?}",
            self.dims[i]
        ))
    }
}

/// Output shapes of `op` for operands of these sizes.
///
/// # Errors
/// [`ShapeError`] (without label) when the operands break the op's contract.
pub fn infer(op: &Op, dims: &[&[usize]]) -> Result<Vec<Dims>, ShapeError> {
    let o = Operands {
        op: op.name(),
        dims,
    };
    match *op {
        Op::Linear { bias, residual } => {
            o.count(2 + usize::from(bias) + 2 * usize::from(residual))?;
            let [b, h, w, i] = o.activation(0)?;
            let &[out, inner] = dims[1] else {
                return o.fail(format!("weight must be [O, I], got {:?}", dims[1]));
            };
            if inner != i {
                return o.fail(format!("weight {:?} does not fit {i} channels", dims[1]));
            }
            let mut next = 2;
            if bias {
                o.expect(next, &[out])?;
                next += 1;
            }
            if residual {
                o.expect(next, &[b, h, w, out])?;
                o.expect(next + 1, &[out])?;
            }
            Ok(vec![vec![b, h, w, out]])
        }
        Op::LayerNorm => {
            o.count(3)?;
            let x = o.activation(0)?;
            o.expect(1, &x[3..])?;
            o.expect(2, &x[3..])?;
            Ok(vec![x.to_vec()])
        }
        Op::LayerNormSiluGate => {
            o.count(4)?;
            let x = o.activation(0)?;
            o.expect(1, &x[3..])?;
            o.expect(2, &x[3..])?;
            o.expect(3, &x)?;
            Ok(vec![x.to_vec()])
        }
        Op::Conv3x3 => {
            o.count(3)?;
            let [b, h, w, i] = o.activation(0)?;
            let &[out, inner, 3, 3] = dims[1] else {
                return o.fail(format!("weight must be [O, I, 3, 3], got {:?}", dims[1]));
            };
            if inner != i {
                return o.fail(format!("weight {:?} does not fit {i} channels", dims[1]));
            }
            o.expect(2, &[out])?;
            Ok(vec![vec![b, h, w, out]])
        }
        Op::DepthwiseConv3x3 { bias, .. } => {
            o.count(2 + usize::from(bias))?;
            Ok(vec![depthwise_operands(&o, bias)?.to_vec()])
        }
        Op::DepthwiseGeluGate { bias } => {
            o.count(2 + usize::from(bias))?;
            let [b, h, w, c] = depthwise_operands(&o, bias)?;
            if c % 2 != 0 {
                return o.fail(format!("needs an even number of channels, got {c}"));
            }
            Ok(vec![vec![b, h, w, c / 2]])
        }
        Op::FusedFfn => {
            o.count(7)?;
            let x = o.activation(0)?;
            let hidden = normed_product(&o, &x, 3)?;
            if hidden % 2 != 0 {
                return o.fail(format!(
                    "needs an even number of hidden channels, got {hidden}"
                ));
            }
            o.expect(4, &[hidden, 1, 3, 3])?;
            o.expect(5, &[x[3], hidden / 2])?;
            o.expect(6, &x[3..])?;
            Ok(vec![x.to_vec()])
        }
        Op::FusedScanInput => {
            o.count(7)?;
            let x = o.activation(0)?;
            let inner = normed_product(&o, &x, 3)?;
            o.expect(4, &[inner, 1, 3, 3])?;
            o.expect(5, &[inner])?;
            let &[projected, rows] = dims[6] else {
                return o.fail(format!("w_x must be [P, D], got {:?}", dims[6]));
            };
            if rows != inner {
                return o.fail(format!("w_x {:?} does not fit {inner} channels", dims[6]));
            }
            let [b, h, w, _] = x;
            Ok(vec![vec![b, h, w, inner], vec![b, h, w, projected]])
        }
        Op::FusedScanOutput => {
            o.count(9)?;
            let x = o.activation(0)?;
            let inner = normed_product(&o, &x, 3)?;
            o.expect(4, &[x[0], x[1], x[2], inner])?;
            o.expect(5, &[inner])?;
            o.expect(6, &[inner])?;
            o.expect(7, &[x[3], inner])?;
            o.expect(8, &x[3..])?;
            Ok(vec![x.to_vec()])
        }
        Op::FusedNormLinear { bias } => {
            o.count(4 + usize::from(bias))?;
            let x = o.activation(0)?;
            let out = normed_product(&o, &x, 3)?;
            if bias {
                o.expect(4, &[out])?;
            }
            Ok(vec![vec![x[0], x[1], x[2], out]])
        }
        Op::FusedExpand => {
            o.count(5)?;
            let [b, h, w, deep] = o.activation(0)?;
            let fine = [b, 2 * h, 2 * w, deep / 4];
            o.expect(0, &[b, h, w, 4 * fine[3]])?;
            o.expect(1, &fine[3..])?;
            o.expect(2, &fine[3..])?;
            o.expect(3, &[fine[3], 2 * fine[3]])?;
            o.expect(4, &fine)?;
            Ok(vec![fine.to_vec()])
        }
        Op::SelectiveScan(spec) => {
            o.count(6)?;
            let v = scan_operands(&o, &spec)?;
            Ok(vec![v.to_vec()])
        }
        Op::Activation(_) => {
            o.count(1)?;
            Ok(vec![o.activation(0)?.to_vec()])
        }
        Op::SiluGate | Op::Add => {
            o.count(2)?;
            let x = o.activation(0)?;
            o.expect(1, &x)?;
            Ok(vec![x.to_vec()])
        }
        Op::GeluGate => {
            o.count(1)?;
            let [b, h, w, c] = o.activation(0)?;
            if c % 2 != 0 {
                return o.fail(format!("needs an even number of channels, got {c}"));
            }
            Ok(vec![vec![b, h, w, c / 2]])
        }
        Op::AddScaled => {
            o.count(3)?;
            let x = o.activation(0)?;
            o.expect(1, &x)?;
            o.expect(2, &x[3..])?;
            Ok(vec![x.to_vec()])
        }
        Op::ConcatChannels => {
            o.count(2)?;
            let a = o.activation(0)?;
            let b = o.activation(1)?;
            if a[..3] != b[..3] {
                return o.fail(format!("{a:?} and {b:?} differ in more than channels"));
            }
            Ok(vec![vec![a[0], a[1], a[2], a[3] + b[3]]])
        }
        Op::SliceChannels { start, len } => {
            o.count(1)?;
            let [b, h, w, c] = o.activation(0)?;
            if len == 0 || start + len > c {
                return o.fail(format!("channels {start}..{} of {c}", start + len));
            }
            Ok(vec![vec![b, h, w, len]])
        }
        Op::SpaceToDepth { factor: f, .. } => {
            o.count(1)?;
            let [b, h, w, c] = o.activation(0)?;
            if f == 0 || h % f != 0 || w % f != 0 {
                return o.fail(format!("{h} × {w} is not a multiple of {f}"));
            }
            Ok(vec![vec![b, h / f, w / f, c * f * f]])
        }
        Op::DepthToSpace { factor: f, .. } => {
            o.count(1)?;
            let [b, h, w, c] = o.activation(0)?;
            if f == 0 || c % (f * f) != 0 {
                return o.fail(format!("{c} channels are not a multiple of {}", f * f));
            }
            Ok(vec![vec![b, h * f, w * f, c / (f * f)]])
        }
        Op::UpsampleBicubic { factor: f } => {
            o.count(1)?;
            let [b, h, w, c] = o.activation(0)?;
            Ok(vec![vec![b, h * f, w * f, c]])
        }
        Op::GlobalAveragePool => {
            o.count(1)?;
            let [b, _, _, c] = o.activation(0)?;
            Ok(vec![vec![b, 1, 1, c]])
        }
        Op::MulChannels => {
            o.count(2)?;
            let x = o.activation(0)?;
            o.expect(1, &[x[0], 1, 1, x[3]])?;
            Ok(vec![x.to_vec()])
        }
        Op::Loss(_) => {
            o.count(2)?;
            let x = o.activation(0)?;
            o.expect(1, &x)?;
            Ok(vec![vec![1]])
        }
        Op::LinearBackwardInput => {
            o.count(2)?;
            let [b, h, w, out] = o.activation(0)?;
            match *dims[1] {
                [rows, i] if rows == out => Ok(vec![vec![b, h, w, i]]),
                _ => o.fail(format!("weight {:?} does not fit {out} channels", dims[1])),
            }
        }
        Op::LinearBackwardWeight => {
            o.count(2)?;
            let g = o.activation(0)?;
            let x = o.activation(1)?;
            if g[..3] != x[..3] {
                return o.fail(format!("{g:?} and {x:?} differ in more than channels"));
            }
            Ok(vec![vec![g[3], x[3]]])
        }
        Op::SumTokens => {
            o.count(1)?;
            Ok(vec![vec![o.activation(0)?[3]]])
        }
        Op::LayerNormBackward { pair, accumulate } => {
            let count = 3 + usize::from(pair) + usize::from(accumulate);
            o.count(count)?;
            let x = o.activation(0)?;
            o.expect(1, &x[3..])?;
            for i in 2..count {
                o.expect(i, &x)?;
            }
            Ok(vec![x.to_vec(), vec![x[3]], vec![x[3]]])
        }
        Op::LayerNormSiluGateBackward => {
            o.count(5)?;
            let x = o.activation(0)?;
            o.expect(1, &x[3..])?;
            o.expect(2, &x[3..])?;
            o.expect(3, &x)?;
            o.expect(4, &x)?;
            Ok(vec![x.to_vec(), vec![x[3]], vec![x[3]], x.to_vec()])
        }
        Op::Conv3x3BackwardInput => {
            o.count(2)?;
            let [b, h, w, out] = o.activation(0)?;
            match *dims[1] {
                [rows, i, 3, 3] if rows == out => Ok(vec![vec![b, h, w, i]]),
                _ => o.fail(format!("weight {:?} does not fit {out} channels", dims[1])),
            }
        }
        Op::Conv3x3BackwardWeight => {
            o.count(2)?;
            let g = o.activation(0)?;
            let x = o.activation(1)?;
            if g[..3] != x[..3] {
                return o.fail(format!("{g:?} and {x:?} differ in more than channels"));
            }
            Ok(vec![vec![g[3], x[3], 3, 3]])
        }
        Op::DepthwiseConv3x3Backward { bias } => {
            o.count(3)?;
            let g = o.activation(0)?;
            o.expect(1, &g)?;
            o.expect(2, &[g[3], 1, 3, 3])?;
            let mut results = vec![g.to_vec(), dims[2].to_vec()];
            if bias {
                results.push(vec![g[3]]);
            }
            Ok(results)
        }
        Op::DepthwiseActivationBackward { bias, pair, .. } => {
            let first = 2 + usize::from(bias);
            let count = first + 1 + usize::from(pair);
            o.count(count)?;
            let x = depthwise_operands(&o, bias)?;
            for i in first..count {
                o.expect(i, &x)?;
            }
            Ok(vec![x.to_vec()])
        }
        Op::DepthwiseGeluGateBackward { bias } => {
            let gradient = 2 + usize::from(bias);
            o.count(gradient + 1)?;
            let [b, h, w, c] = depthwise_operands(&o, bias)?;
            o.expect(gradient, &[b, h, w, c / 2])?;
            Ok(vec![vec![b, h, w, c]])
        }
        Op::ScaleRows | Op::ScaleRowsBackward => {
            let backward = *op == Op::ScaleRowsBackward;
            o.count(2 + usize::from(backward))?;
            let &[rows, columns] = dims[0] else {
                return o.fail(format!("operand 0 must be [O, I], got {:?}", dims[0]));
            };
            o.expect(1, &[rows])?;
            if !backward {
                return Ok(vec![vec![rows, columns]]);
            }
            o.expect(2, &[rows, columns])?;
            Ok(vec![vec![rows, columns], vec![rows]])
        }
        Op::SelectiveScanBackward(spec) => {
            o.count(7)?;
            let v = scan_operands(&o, &spec)?;
            o.expect(6, &v)?;
            Ok(dims[..6].iter().map(|d| d.to_vec()).collect())
        }
        Op::ActivationBackward(_) => {
            o.count(2)?;
            let x = o.activation(0)?;
            o.expect(1, &x)?;
            Ok(vec![x.to_vec()])
        }
        Op::SiluGateBackward => {
            o.count(3)?;
            let x = o.activation(0)?;
            o.expect(1, &x)?;
            o.expect(2, &x)?;
            Ok(vec![x.to_vec(), x.to_vec()])
        }
        Op::GeluGateBackward => {
            o.count(2)?;
            let [b, h, w, c] = o.activation(0)?;
            o.expect(1, &[b, h, w, c / 2])?;
            Ok(vec![vec![b, h, w, c]])
        }
        Op::AddScaledBackward => {
            o.count(3)?;
            let f = o.activation(0)?;
            o.expect(1, &f[3..])?;
            o.expect(2, &f)?;
            Ok(vec![f.to_vec(), vec![f[3]]])
        }
        Op::GlobalAveragePoolBackward { height, width } => {
            o.count(1)?;
            let [b, _, _, c] = o.activation(0)?;
            o.expect(0, &[b, 1, 1, c])?;
            Ok(vec![vec![b, height, width, c]])
        }
        Op::MulChannelsBackward => {
            o.count(3)?;
            let x = o.activation(0)?;
            let s = [x[0], 1, 1, x[3]];
            o.expect(1, &s)?;
            o.expect(2, &x)?;
            Ok(vec![x.to_vec(), s.to_vec()])
        }
        Op::LossBackward(_) => {
            o.count(2)?;
            let x = o.activation(0)?;
            o.expect(1, &x)?;
            Ok(vec![x.to_vec()])
        }
    }
}

/// Checks `x, w, [b]` of a depthwise convolution; returns `x`'s shape.
fn depthwise_operands(o: &Operands<'_>, bias: bool) -> Result<[usize; 4], ShapeError> {
    let x = o.activation(0)?;
    o.expect(1, &[x[3], 1, 3, 3])?;
    if bias {
        o.expect(2, &x[3..])?;
    }
    Ok(x)
}

/// Checks γ, β and the matrix `[N, C]` at operand `matrix` of a product of `LN(x)`; returns N.
fn normed_product(o: &Operands<'_>, x: &[usize; 4], matrix: usize) -> Result<usize, ShapeError> {
    o.expect(1, &x[3..])?;
    o.expect(2, &x[3..])?;
    match *o.dims[matrix] {
        [rows, columns] if columns == x[3] => Ok(rows),
        _ => o.fail(format!(
            "matrix {:?} does not fit {} channels",
            o.dims[matrix], x[3]
        )),
    }
}

/// Checks the six operands shared by the scan and its backward; returns `v`'s shape.
fn scan_operands(o: &Operands<'_>, spec: &ScanSpec) -> Result<[usize; 4], ShapeError> {
    let ScanSpec {
        directions: k,
        states: n,
        rank: r,
        tied,
        backward: _,
    } = *spec;
    if ![1, 2, 4].contains(&k) || n == 0 || r == 0 {
        return o.fail(format!(
            "needs 1, 2 or 4 directions, states and rank > 0, got {spec:?}"
        ));
    }
    let v = o.activation(0)?;
    let d = v[3];
    o.expect(1, &[v[0], v[1], v[2], k * spec.projected()])?;
    o.expect(2, &[k, d, r])?;
    o.expect(3, &[k, d])?;
    if tied {
        o.expect(4, &[k, d])?;
    } else {
        o.expect(4, &[k, d, n])?;
    }
    o.expect(5, &[k, d])?;
    Ok(v)
}
