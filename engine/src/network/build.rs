//! From a configuration to a graph: stem, encoder, bottom, decoder, head, global residual.

use super::blocks::block;
use super::config::NetworkConfig;
use super::init::Initializer as Init;
use crate::graph::{Graph, Op, RearrangeOrder, ShapeError, ValueId};

/// Channels between the head's projection and its last convolution.
const HEAD_CHANNELS: usize = 16;

/// A network cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A field of the configuration is out of range.
    #[error("network configuration: {field} {problem}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong and what it may be.
        problem: String,
    },
    /// The picture's padded size does not fit the hierarchy.
    #[error(
        "input of {width} × {height} pixels: both sides must be positive multiples of {multiple}"
    )]
    Size {
        /// Width of the input.
        width: usize,
        /// Height of the input.
        height: usize,
        /// What both must be a multiple of.
        multiple: usize,
    },
    /// An op's operands do not fit: an error in the network's definition.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// A learned tensor as the network declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// Name in checkpoints.
    pub name: String,
    /// Sizes, outermost first.
    pub dims: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// Whether weight decay applies (matrices and convolution kernels only).
    pub decay: bool,
}

/// A network for one batch size and picture size.
#[derive(Clone, Debug)]
pub struct Network {
    /// Input `x [B, H, W, 3 or 4]`; output `[B, r·H, r·W, 3]`, not clipped.
    pub graph: Graph,
    /// The learned tensors, in the order of `graph.parameters`.
    pub parameters: Vec<ParameterSpec>,
    /// The configuration it was built from.
    pub config: NetworkConfig,
}

impl Network {
    /// Builds the graph for `batch` pictures of `height × width`, sides multiples of
    /// [`NetworkConfig::size_multiple`].
    ///
    /// # Errors
    /// [`NetworkError`] when the configuration or the size is out of range.
    pub fn build(
        config: &NetworkConfig,
        batch: usize,
        height: usize,
        width: usize,
    ) -> Result<Self, NetworkError> {
        config.validate()?;
        let multiple = config.size_multiple();
        if batch * height * width == 0
            || !height.is_multiple_of(multiple)
            || !width.is_multiple_of(multiple)
        {
            return Err(NetworkError::Size {
                width,
                height,
                multiple,
            });
        }
        let mut b = Builder {
            graph: Graph::new(),
            parameters: Vec::new(),
            blocks: 0,
        };
        let x = b
            .graph
            .input("input", &[batch, height, width, config.input_channels()]);
        let body = body(&mut b, config, x)?;
        let out = residual(&mut b, config, x, body)?;
        b.graph.outputs = vec![out];
        Ok(Self {
            graph: b.graph,
            parameters: b.parameters,
            config: config.clone(),
        })
    }

    /// Number of learned scalars.
    pub fn parameter_count(&self) -> usize {
        self.graph.parameter_count()
    }
}

/// Stem, hierarchy and head: `[B, H, W, in] → [B, r·H, r·W, 3]`.
fn body(b: &mut Builder, config: &NetworkConfig, x: ValueId) -> Result<ValueId, NetworkError> {
    let bottom = config.depths.len() - 1;
    let mut x = stem(b, config, x)?;
    let mut skips = Vec::new();
    for (s, &depth) in config.depths[..bottom].iter().enumerate() {
        x = stage(b, config, x, depth, &format!("encoder.{s}"))?;
        skips.push(x);
        x = merge(b, x, &format!("merge.{s}"))?;
    }
    x = stage(b, config, x, config.depths[bottom], "bottom")?;
    for (s, skip) in skips.into_iter().enumerate().rev() {
        x = expand(b, x, skip, &format!("expand.{s}"))?;
        x = stage(b, config, x, config.depths[s], &format!("decoder.{s}"))?;
    }
    head(b, config, x)
}

fn stage(
    b: &mut Builder,
    config: &NetworkConfig,
    mut x: ValueId,
    depth: usize,
    name: &str,
) -> Result<ValueId, NetworkError> {
    for i in 0..depth {
        x = block(b, config, x, &format!("{name}.blocks.{i}"))?;
    }
    Ok(x)
}

/// Patches become tokens: a 3×3 convolution for p = 1, a linear map of p×p pixels otherwise.
fn stem(b: &mut Builder, config: &NetworkConfig, x: ValueId) -> Result<ValueId, NetworkError> {
    let x = if config.patch == 1 {
        b.conv3x3(x, config.channels, "stem.conv", None)?
    } else {
        let order = RearrangeOrder::PixelShuffle;
        let x = b.apply(
            Op::SpaceToDepth {
                factor: config.patch,
                order,
            },
            &[x],
            "stem.patches",
        )?;
        b.linear(x, config.channels, true, "stem.proj", Init::TRUNCATED)?
    };
    b.layer_norm(x, "stem.norm")
}

/// 2×2 neighbours become one token of twice the width.
fn merge(b: &mut Builder, x: ValueId, name: &str) -> Result<ValueId, NetworkError> {
    let c = b.channels(x);
    let order = RearrangeOrder::PatchMerge;
    let x = b.apply(
        Op::SpaceToDepth { factor: 2, order },
        &[x],
        &format!("{name}.gather"),
    )?;
    let x = b.layer_norm(x, &format!("{name}.norm"))?;
    b.linear(x, 2 * c, false, &format!("{name}.proj"), Init::TRUNCATED)
}

/// The inverse of a merge, joined with the encoder's tokens of that scale.
fn expand(b: &mut Builder, x: ValueId, skip: ValueId, name: &str) -> Result<ValueId, NetworkError> {
    let c = b.channels(x);
    let x = b.linear(x, 2 * c, false, &format!("{name}.proj"), Init::TRUNCATED)?;
    let order = RearrangeOrder::PixelShuffle;
    let x = b.apply(
        Op::DepthToSpace { factor: 2, order },
        &[x],
        &format!("{name}.shuffle"),
    )?;
    let x = b.apply(Op::ConcatChannels, &[x, skip], &format!("{name}.concat"))?;
    let x = b.linear(x, c / 2, false, &format!("{name}.fuse"), Init::TRUNCATED)?;
    b.layer_norm(x, &format!("{name}.norm"))
}

/// Tokens become pixels. The last convolution starts at zero: an untrained network is the identity.
fn head(b: &mut Builder, config: &NetworkConfig, x: ValueId) -> Result<ValueId, NetworkError> {
    let (p, r) = (config.patch, config.scale);
    let x = b.layer_norm(x, "head.norm")?;
    let mut x = b.linear(x, p * p * HEAD_CHANNELS, true, "head.proj", Init::TRUNCATED)?;
    let order = RearrangeOrder::PixelShuffle;
    if p > 1 {
        x = b.apply(Op::DepthToSpace { factor: p, order }, &[x], "head.patches")?;
    }
    let x = b.conv3x3(x, 3 * r * r, "head.conv", Some(Init::Zeros))?;
    if r == 1 {
        return Ok(x);
    }
    Ok(b.apply(Op::DepthToSpace { factor: r, order }, &[x], "head.shuffle")?)
}

/// out = up_r(input) + body.
fn residual(
    b: &mut Builder,
    config: &NetworkConfig,
    input: ValueId,
    body: ValueId,
) -> Result<ValueId, NetworkError> {
    let mut x = input;
    if config.noise_map {
        x = b.apply(
            Op::SliceChannels { start: 0, len: 3 },
            &[x],
            "residual.colour",
        )?;
    }
    if config.scale > 1 {
        x = b.apply(
            Op::UpsampleBicubic {
                factor: config.scale,
            },
            &[x],
            "residual.upsample",
        )?;
    }
    Ok(b.apply(Op::Add, &[x, body], "residual.add")?)
}

/// A graph under construction with the parameters declared so far.
pub(super) struct Builder {
    graph: Graph,
    parameters: Vec<ParameterSpec>,
    /// Blocks added so far.
    pub(super) blocks: usize,
}

impl Builder {
    pub(super) fn parameter(&mut self, name: &str, dims: &[usize], init: Init) -> ValueId {
        // a_log, d, Δ's bias, norms and scales are exempt; only .weight tensors that mix channels decay.
        let decay = name.ends_with(".weight") && dims.len() > 1;
        self.parameters.push(ParameterSpec {
            name: name.to_owned(),
            dims: dims.to_vec(),
            init,
            decay,
        });
        self.graph.parameter(name, dims)
    }

    pub(super) fn apply(
        &mut self,
        op: Op,
        inputs: &[ValueId],
        label: &str,
    ) -> Result<ValueId, ShapeError> {
        self.graph.apply(op, inputs, label)
    }

    pub(super) fn channels(&self, x: ValueId) -> usize {
        self.graph.dims(x)[3]
    }

    pub(super) fn layer_norm(&mut self, x: ValueId, name: &str) -> Result<ValueId, NetworkError> {
        let c = self.channels(x);
        let gamma = self.parameter(&format!("{name}.weight"), &[c], Init::Ones);
        let beta = self.parameter(&format!("{name}.bias"), &[c], Init::Zeros);
        Ok(self.apply(Op::LayerNorm, &[x, gamma, beta], name)?)
    }

    pub(super) fn linear(
        &mut self,
        x: ValueId,
        out: usize,
        bias: bool,
        name: &str,
        init: Init,
    ) -> Result<ValueId, NetworkError> {
        let c = self.channels(x);
        let mut operands = vec![
            x,
            self.parameter(&format!("{name}.weight"), &[out, c], init),
        ];
        if bias {
            operands.push(self.parameter(&format!("{name}.bias"), &[out], Init::Zeros));
        }
        Ok(self.apply(
            Op::Linear {
                bias,
                residual: false,
            },
            &operands,
            name,
        )?)
    }

    pub(super) fn depthwise(
        &mut self,
        x: ValueId,
        bias: bool,
        name: &str,
    ) -> Result<ValueId, NetworkError> {
        let c = self.channels(x);
        let init = Init::Uniform { bound: 1.0 / 3.0 };
        let mut operands = vec![
            x,
            self.parameter(&format!("{name}.weight"), &[c, 1, 3, 3], init),
        ];
        if bias {
            operands.push(self.parameter(&format!("{name}.bias"), &[c], Init::Zeros));
        }
        Ok(self.apply(
            Op::DepthwiseConv3x3 {
                bias,
                activation: None,
            },
            &operands,
            name,
        )?)
    }

    /// 3×3 convolution with bias; U(±1/√fan_in) unless told otherwise.
    pub(super) fn conv3x3(
        &mut self,
        x: ValueId,
        out: usize,
        name: &str,
        init: Option<Init>,
    ) -> Result<ValueId, NetworkError> {
        let c = self.channels(x);
        let bound = (9.0 * c as f32).powf(-0.5);
        let init = init.unwrap_or(Init::Uniform { bound });
        let w = self.parameter(&format!("{name}.weight"), &[out, c, 3, 3], init);
        let bias = self.parameter(&format!("{name}.bias"), &[out], Init::Zeros);
        Ok(self.apply(Op::Conv3x3, &[x, w, bias], name)?)
    }
}
