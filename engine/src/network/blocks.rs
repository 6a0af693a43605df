//! The blocks: each is a function that adds ops to the graph under construction.

use super::build::{Builder, NetworkError};
use super::config::{Ffn, NetworkConfig};
use super::init::Initializer as Init;
use crate::graph::{Activation, Op, ScanSpec, ValueId};

/// x ← x + s1 ⊙ SS2D(LN(x));  x ← x + s2 ⊙ FFN(LN(x)).
pub(super) fn block(
    b: &mut Builder,
    config: &NetworkConfig,
    x: ValueId,
    name: &str,
) -> Result<ValueId, NetworkError> {
    let n = b.layer_norm(x, &format!("{name}.norm1"))?;
    let f = ss2d(b, config, n, &format!("{name}.ss2d"))?;
    let x = add_scaled(b, x, f, &format!("{name}.scale1"))?;
    if config.ffn == Ffn::None {
        return Ok(x);
    }
    let n = b.layer_norm(x, &format!("{name}.norm2"))?;
    let ffn = format!("{name}.ffn");
    let f = match config.ffn {
        Ffn::ChannelAttention => channel_attention_ffn(b, n, &ffn)?,
        _ => gated_ffn(b, n, &ffn)?,
    };
    add_scaled(b, x, f, &format!("{name}.scale2"))
}

/// x + s ⊙ f with a learned scale per channel.
fn add_scaled(
    b: &mut Builder,
    x: ValueId,
    f: ValueId,
    name: &str,
) -> Result<ValueId, NetworkError> {
    let d = b.channels(x);
    let s = b.parameter(name, &[d], Init::Ones);
    Ok(b.apply(Op::AddScaled, &[x, f, s], name)?)
}

/// The four-direction selective scan with its projections and gate.
fn ss2d(
    b: &mut Builder,
    config: &NetworkConfig,
    u: ValueId,
    name: &str,
) -> Result<ValueId, NetworkError> {
    let d = b.channels(u);
    let inner = config.expansion * d;
    let (k, n, r) = (config.directions, config.states, d.div_ceil(16));
    let spec = ScanSpec {
        directions: k,
        states: n,
        rank: r,
        tied: config.tied_decay,
        backward: config.alternating && b.blocks % 2 == 1,
    };
    b.blocks += 1;

    let v = b.linear(u, inner, false, &format!("{name}.in_v"), Init::TRUNCATED)?;
    let z = b.linear(u, inner, false, &format!("{name}.in_z"), Init::TRUNCATED)?;
    let v = b.depthwise(v, true, &format!("{name}.conv"))?;
    let v = b.apply(
        Op::Activation(Activation::Silu),
        &[v],
        &format!("{name}.silu"),
    )?;

    let fan = Init::Uniform {
        bound: (inner as f32).powf(-0.5),
    };
    let p = b.linear(
        v,
        k * spec.projected(),
        false,
        &format!("{name}.x_proj"),
        fan,
    )?;
    let w_dt_bound = Init::Uniform {
        bound: (r as f32).powf(-0.5),
    };
    let w_dt = b.parameter(
        &format!("{name}.dt_proj.weight"),
        &[k, inner, r],
        w_dt_bound,
    );
    let b_dt = b.parameter(
        &format!("{name}.dt_proj.bias"),
        &[k, inner],
        Init::DeltaBias,
    );
    let a_log = match config.tied_decay {
        true => b.parameter(&format!("{name}.a_log"), &[k, inner], Init::Zeros),
        false => b.parameter(&format!("{name}.a_log"), &[k, inner, n], Init::LogStates),
    };
    let skip = b.parameter(&format!("{name}.d"), &[k, inner], Init::Ones);
    let scan = Op::SelectiveScan(spec);
    let y = b.apply(
        scan,
        &[v, p, w_dt, b_dt, a_log, skip],
        &format!("{name}.scan"),
    )?;

    let y = b.layer_norm(y, &format!("{name}.norm"))?;
    let y = b.apply(Op::SiluGate, &[y, z], &format!("{name}.gate"))?;
    b.linear(y, d, false, &format!("{name}.out"), Init::TRUNCATED)
}

/// 1×1 to 4d, depthwise 3×3, GELU gate to 2d, 1×1 to d.
fn gated_ffn(b: &mut Builder, x: ValueId, name: &str) -> Result<ValueId, NetworkError> {
    let d = b.channels(x);
    let h = b.linear(x, 4 * d, false, &format!("{name}.in"), Init::TRUNCATED)?;
    let h = b.depthwise(h, false, &format!("{name}.conv"))?;
    let h = b.apply(Op::GeluGate, &[h], &format!("{name}.gate"))?;
    b.linear(h, d, false, &format!("{name}.out"), Init::TRUNCATED)
}

/// 3×3 to ⌈d/3⌉, GELU, 3×3 to d, then each channel weighed by what the whole picture says.
fn channel_attention_ffn(b: &mut Builder, x: ValueId, name: &str) -> Result<ValueId, NetworkError> {
    let d = b.channels(x);
    let h = b.conv3x3(x, d.div_ceil(3), &format!("{name}.conv1"), None)?;
    let h = b.apply(
        Op::Activation(Activation::Gelu),
        &[h],
        &format!("{name}.gelu"),
    )?;
    let h = b.conv3x3(h, d, &format!("{name}.conv2"), None)?;
    let pooled = b.apply(Op::GlobalAveragePool, &[h], &format!("{name}.pool"))?;
    let squeezed = (d / 16).max(1);
    let a = b.linear(
        pooled,
        squeezed,
        true,
        &format!("{name}.squeeze"),
        Init::TRUNCATED,
    )?;
    let a = b.apply(
        Op::Activation(Activation::Relu),
        &[a],
        &format!("{name}.relu"),
    )?;
    let a = b.linear(a, d, true, &format!("{name}.excite"), Init::TRUNCATED)?;
    let a = b.apply(
        Op::Activation(Activation::Sigmoid),
        &[a],
        &format!("{name}.sigmoid"),
    )?;
    Ok(b.apply(Op::MulChannels, &[h, a], &format!("{name}.attention"))?)
}
