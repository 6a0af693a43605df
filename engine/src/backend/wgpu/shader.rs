//! The shaders as text: every kernel, what they share, and a small preprocessor.
//!
//! A kernel's text is its constants (`const NAME: u32 = 3u;`) followed by the
//! file from `shaders/`, in which these lines are understood:
//!
//! - `#include NAME` puts `shaders/shared/NAME.wgsl` there (once a kernel; within `#for` in every turn),
//! - `#if NAME` / `#if !NAME`, `#else`, `#endif` keep what follows when the
//!   constant is there and not zero (or the opposite); a number stands for itself,
//! - `#for I COUNT`, `#endfor` repeat what is between for `$I` = 0, 1, .. COUNT-1; COUNT is a
//!   number or a constant. Values of a lane named one by one stay in registers, where
//!   drivers put an array indexed in a loop into slow memory.
//!
//! `enable` directives of the file come before the constants, as WGSL wants them; `enable f16`
//! is added when a constant `HALF…` says that a binding holds 16-bit numbers, cooperative matrices
//! when `COOP` is set.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::dispatch::Constant;

/// Makes a table of (stem, text) from a folder below `shaders/`.
macro_rules! shaders {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../shaders/", $folder, $name, ".wgsl")))),*]
    };
}

/// Every kernel: a new one is a file and a line here (one list a family, so that edits stay apart).
const KERNELS: &[&[(&str, &str)]] = &[
    // linear
    shaders!("": "matmul", "matmul_coop"),
    // scan
    shaders!("": "scan_pack", "scan_chunk", "scan_carry", "scan_emit", "scan_backward"),
    // halves of a block
    shaders!("": "fused_expand", "fused_ffn", "fused_norm_linear", "fused_scan_input", "fused_scan_output"),
    // sums
    shaders!("": "row_sums"),
    // norm
    shaders!("":
        "layer_norm",
        "layer_norm_backward",
    ),
    // conv
    shaders!("":
        "conv3x3",
        "conv3x3_backward_weight",
        "depthwise_conv3x3",
        "depthwise_conv3x3_backward",
        "depthwise_gelu_gate",
    ),
    // pointwise
    shaders!("":
        "activation",
        "activation_backward",
        "add",
        "add_scaled",
        "gelu_gate",
        "gelu_gate_backward",
        "mul_channels",
        "scale_rows",
        "scale_rows_backward",
        "scale_channels_backward",
        "silu_gate",
        "silu_gate_backward",
    ),
    // rearrange
    shaders!("":
        "concat_channels",
        "depth_to_space",
        "slice_channels",
        "space_to_depth",
        "upsample_bicubic",
    ),
    // reduce
    shaders!("": "reduce_rows", "spread_pixels"),
    // loss
    shaders!("":
        "loss",
        "loss_backward",
    ),
    // optimiser
    shaders!("": "gradient_squares", "gradient_norm", "adamw"),
    // measuring
    shaders!("": "rates"),
];

/// Text that kernels share: `#include NAME`.
const SHARED: &[(&str, &str)] = shaders!("shared/":
    "activation",
    "depth",
    "depthwise", "depthwise_tap",
    "flat",
    "fold_rows",
    "fused",
    "fused_columns",
    "fused_conv",
    "fused_first",
    "fused_in",
    "fused_main",
    "fused_next",
    "fused_norm",
    "fused_normed",
    "fused_out",
    "fused_store",
    "fused_sums",
    "fused_taps",
    "index",
    "lane_activation",
    "lanes",
    "matmul_coop_out",
    "matmul_io",
    "matmul_tile",
    "scan",
    "scan_channels",
    "scan_decays",
    "scan_fold",
    "scan_rows_out",
    "scan_sums",
    "scan_sweep1",
    "scan_sweep2",
    "step",
    "token_sum",
);

/// A kernel's text cannot be put together.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ShaderError {
    /// No file of that name.
    #[error("there is no shader {0:?}")]
    Unknown(String),
    /// A directive that does not fit.
    #[error("shader {file}, line {line}: {problem}")]
    Directive {
        /// Stem of the file.
        file: String,
        /// Line in it, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// Constants of a kernel as they are written in [`super::dispatch::Dispatch`].
pub type Constants = [(&'static str, Constant)];

/// WGSL of a kernel with its constants.
///
/// # Errors
/// [`ShaderError`] when the kernel or an include is unknown or a directive is wrong.
pub fn source(kernel: &str, constants: &Constants) -> Result<String, ShaderError> {
    let text = find(KERNELS.iter().copied().flatten(), kernel)?;
    assemble(kernel, text, constants)
}

/// Stems of all kernels.
pub fn kernels() -> impl Iterator<Item = &'static str> {
    KERNELS.iter().copied().flatten().map(|(name, _)| *name)
}

/// A number that differs when the program's version or any shader differs.
pub fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    KERNELS.hash(&mut hasher);
    SHARED.hash(&mut hasher);
    hasher.finish()
}

fn find<'a>(
    mut table: impl Iterator<Item = &'a (&'a str, &'a str)>,
    name: &str,
) -> Result<&'a str, ShaderError> {
    table
        .find(|(n, _)| *n == name)
        .map(|(_, text)| *text)
        .ok_or_else(|| ShaderError::Unknown(name.to_owned()))
}

/// Constants, then `text` with its directives carried out.
fn assemble(file: &str, text: &str, constants: &Constants) -> Result<String, ShaderError> {
    let mut out = String::with_capacity(text.len() + 1024);
    let half = constants
        .iter()
        .any(|(name, value)| name.starts_with("HALF") && *value == Constant::U32(1));
    if half && !text.contains(ENABLE_F16) {
        out.push_str(ENABLE_F16);
    }
    if constants.contains(&("COOP", Constant::U32(1))) {
        out.push_str(ENABLE_COOP);
    }
    for line in text.lines().filter(|l| is_enable(l)) {
        out.push_str(line);
        out.push('\n');
    }
    for (name, value) in constants {
        match value {
            Constant::U32(v) => out.push_str(&format!("const {name}: u32 = {v}u;\n")),
            // Debug prints the shortest text that reads back as the same float, always with a point.
            Constant::F32(v) => out.push_str(&format!("const {name}: f32 = {v:?}f;\n")),
        }
    }
    let mut included = Vec::new();
    expand(file, text, constants, &mut included, &mut out)?;
    Ok(out)
}

/// What a kernel with 16-bit bindings begins with.
const ENABLE_F16: &str = "enable f16;\n";

/// What a kernel whose constant `COOP` is set begins with.
const ENABLE_COOP: &str = "enable wgpu_cooperative_matrix;\n";

/// Whether a line is a directive that must come before everything else.
fn is_enable(line: &str) -> bool {
    line.starts_with("enable ")
}

/// One open `#if`.
struct Branch {
    /// Whether its lines are kept now.
    kept: bool,
    /// Whether the lines around it are kept.
    outer: bool,
    /// Whether its `#else` was seen.
    turned: bool,
}

fn expand(
    file: &str,
    text: &str,
    constants: &Constants,
    included: &mut Vec<String>,
    out: &mut String,
) -> Result<(), ShaderError> {
    let fail = |line: usize, problem: &str| {
        Err(ShaderError::Directive {
            file: file.to_owned(),
            line: line + 1,
            problem: problem.to_owned(),
        })
    };
    let set = |name: &str| {
        let constant = constants.iter().any(|(n, value)| {
            *n == name
                && match value {
                    Constant::U32(v) => *v != 0,
                    Constant::F32(v) => *v != 0.0,
                }
        });
        constant || name.parse::<u32>().is_ok_and(|number| number != 0)
    };
    let mut branches: Vec<Branch> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let kept = branches.last().is_none_or(|b| b.kept);
        let Some(directive) = line.trim_start().strip_prefix('#') else {
            if kept && !is_enable(line) {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        };
        let mut words = directive.split_whitespace();
        let (word, argument) = (words.next(), words.next());
        match (word, argument) {
            (Some("include"), Some(name)) => {
                if kept && !included.iter().any(|n| n == name) {
                    included.push(name.to_owned());
                    let shared = find(SHARED.iter(), name)?;
                    expand(name, shared, constants, included, out)?;
                }
            }
            (Some("for"), Some(variable)) => {
                let Some(body) = loop_body(&mut lines) else {
                    return fail(number, "#for without #endfor");
                };
                let Some(count) = words.next().and_then(|w| number_of(w, constants)) else {
                    return fail(number, "#for needs a name and a number or a constant");
                };
                for i in 0..if kept { count } else { 0 } {
                    let turn = body.replace(&format!("${variable}"), &i.to_string());
                    expand(file, &turn, constants, &mut included.clone(), out)?;
                }
            }
            (Some("if"), Some(condition)) => {
                let holds = match condition.strip_prefix('!') {
                    Some(name) => !set(name),
                    None => set(condition),
                };
                branches.push(Branch {
                    kept: kept && holds,
                    outer: kept,
                    turned: false,
                });
            }
            (Some("else"), _) => match branches.last_mut() {
                Some(b) if !b.turned => {
                    b.kept = b.outer && !b.kept;
                    b.turned = true;
                }
                _ => return fail(number, "#else without #if"),
            },
            (Some("endif"), _) => {
                if branches.pop().is_none() {
                    return fail(number, "#endif without #if");
                }
            }
            _ => {
                return fail(
                    number,
                    "not #include NAME, #if NAME, #if !NAME, #else, #endif, #for I COUNT or #endfor",
                );
            }
        }
    }
    if branches.is_empty() {
        return Ok(());
    }
    fail(text.lines().count(), "#if without #endif")
}

/// A number as it stands, or the value of a constant.
fn number_of(word: &str, constants: &Constants) -> Option<u32> {
    let constant = constants.iter().find_map(|(name, value)| match value {
        Constant::U32(v) if *name == word => Some(*v),
        _ => None,
    });
    constant.or_else(|| word.parse().ok())
}

/// The lines up to the `#endfor` that belongs to a `#for` just read.
fn loop_body<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Option<String> {
    let (mut body, mut depth) = (String::new(), 0);
    for (_, line) in lines {
        let directive = line.trim_start();
        if directive.starts_with("#endfor") {
            if depth == 0 {
                return Some(body);
            }
            depth -= 1;
        } else if directive.starts_with("#for ") {
            depth += 1;
        }
        body.push_str(line);
        body.push('\n');
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn run(text: &str, constants: &Constants) -> Result<String, ShaderError> {
        assemble("test", text, constants)
    }

    #[test]
    fn constants_come_first() {
        let constants = [("N", Constant::U32(3)), ("EPS", Constant::F32(1e-5))];
        let out = run("a\n", &constants).unwrap();
        assert_eq!(out, "const N: u32 = 3u;\nconst EPS: f32 = 1e-5f;\na\n");
        let whole = run("", &[("ONE", Constant::F32(1.0))]).unwrap();
        assert_eq!(whole, "const ONE: f32 = 1.0f;\n");
    }

    #[test]
    fn enables_come_before_constants() {
        let out = run("// a\nenable f16;\nb\n", &[("N", Constant::U32(3))]).unwrap();
        assert_eq!(out, "enable f16;\nconst N: u32 = 3u;\n// a\nb\n");
    }

    #[test]
    fn half_bindings_enable_f16_once() {
        let half = [("HALF2", Constant::U32(1))];
        let out = run("b\n", &half).unwrap();
        assert_eq!(out, "enable f16;\nconst HALF2: u32 = 1u;\nb\n");
        assert_eq!(run("enable f16;\nb\n", &half).unwrap(), out);
        let full = run("b\n", &[("HALF2", Constant::U32(0))]).unwrap();
        assert!(!full.contains("enable"));
    }

    #[test]
    fn branches_nest() {
        let text = "#if A\na\n#if !B\nab\n#else\nb\n#endif\n#else\nc\n#endif\nd\n";
        let with = |a, b| {
            let constants = [("A", Constant::U32(a)), ("B", Constant::U32(b))];
            let out = run(text, &constants).unwrap();
            out.lines().skip(2).collect::<Vec<_>>().join(",")
        };
        assert_eq!(with(1, 0), "a,ab,d");
        assert_eq!(with(1, 1), "a,b,d");
        assert_eq!(with(0, 0), "c,d");
        assert_eq!(with(0, 1), "c,d");
    }

    #[test]
    fn loops_repeat_their_lines() {
        let text = "#for I N\n#for J 2\na$I$J\n#if N\nb$I\n#endif\n#endfor\n#endfor\nc\n";
        let out = run(text, &[("N", Constant::U32(2))]).unwrap();
        let lines: Vec<&str> = out.lines().skip(1).collect();
        assert_eq!(lines.join(","), "a00,b0,a01,b0,a10,b1,a11,b1,c");
        let none = run(
            &format!("#if N\n{text}#endif\n"),
            &[("N", Constant::U32(0))],
        )
        .unwrap();
        assert_eq!(none, "const N: u32 = 0u;\n");
    }

    #[test]
    fn wrong_directives_are_errors() {
        for text in [
            "#for I 3\n",
            "#for I NOTHING\n#endfor\n",
            "#for I\n#endfor\n",
            "#endfor\n",
            "#if A\n",
            "#else\n",
            "#endif\n",
            "#define A\n",
            "#if A\n#else\n#else\n#endif",
        ] {
            let error = run(text, &[]).unwrap_err();
            assert!(matches!(error, ShaderError::Directive { .. }), "{text}");
        }
        let missing = run("#include nothing\n", &[]).unwrap_err();
        assert_eq!(missing, ShaderError::Unknown("nothing".to_owned()));
    }

    #[test]
    fn shared_text_is_included_once_and_in_every_turn() {
        let once = run("#include index\n", &[]).unwrap();
        let twice = run("#include index\n#include index\n", &[]).unwrap();
        assert_eq!(once, twice);
        assert!(!once.is_empty());
        let turns = run("#for I 3\n#include index\n#endfor\n", &[]).unwrap();
        assert_eq!(turns, once.repeat(3));
    }

    #[test]
    fn turns_can_be_told_apart() {
        let out = run("#for I 3\n#if $I\na$I\n#else\nb\n#endif\n#endfor\n", &[]).unwrap();
        assert_eq!(out, "b\na1\na2\n");
    }
}
