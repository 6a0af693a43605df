//! Every kernel variant that lowering produces parses, validates, translates to every
//! shading language, declares the bindings it is given, and stays within what every
//! adapter offers. No graphics device needed.

use std::collections::{BTreeSet, HashMap};

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess};
use serpent_engine::backend::wgpu::dispatch::{self, Access, Dispatch};
use serpent_engine::backend::wgpu::lower::lower;
use serpent_engine::backend::wgpu::shader;
use serpent_engine::graph::{
    Graph, Loss, Op, differentiate, fuse, fuse_backward, recompute, store_half,
};
use serpent_engine::network::{Ffn, Network, NetworkConfig, Preset};

/// What every adapter with compute shaders offers (WebGPU's defaults).
const WORKGROUP_BYTES: u32 = 16384;
const INVOCATIONS: u32 = 256;
const STORAGE_BUFFERS: usize = 8;
/// Longest kernel file.
const FILE_BYTES: usize = 8192;

/// The configurations whose kernels are checked, by name.
fn configurations() -> Vec<(&'static str, NetworkConfig)> {
    let tiny = || Preset::Tiny.config();
    vec![
        ("tiny", tiny()),
        ("base", Preset::Base.config()),
        ("large", Preset::Large.config()),
        ("patch 2", NetworkConfig { patch: 2, ..tiny() }),
        (
            "channel attention",
            NetworkConfig {
                ffn: Ffn::ChannelAttention,
                ..tiny()
            },
        ),
        (
            "no second half",
            NetworkConfig {
                ffn: Ffn::None,
                ..tiny()
            },
        ),
        (
            "tied decay",
            NetworkConfig {
                tied_decay: true,
                ..tiny()
            },
        ),
        ("scale 4", NetworkConfig { scale: 4, ..tiny() }),
        (
            "noise map",
            NetworkConfig {
                noise_map: true,
                ..tiny()
            },
        ),
        (
            "one direction",
            NetworkConfig {
                directions: 1,
                ..tiny()
            },
        ),
        (
            "two directions",
            NetworkConfig {
                directions: 2,
                ..tiny()
            },
        ),
    ]
}

/// The graphs that are run: fused inference, and training with each loss.
fn graphs(config: &NetworkConfig, batch: usize, side: usize) -> Vec<Graph> {
    let build = || {
        Network::build(config, batch, side, side)
            .expect("network builds")
            .graph
    };
    let mut graphs = vec![fuse(build()), build()];
    for loss in [Loss::Charbonnier { epsilon: 1e-3 }, Loss::L1] {
        let mut graph = build();
        let prediction = graph.outputs[0];
        let dims = graph.dims(prediction).to_vec();
        let target = graph.input("target", &dims);
        let loss = graph
            .apply(Op::Loss(loss), &[prediction, target], "loss")
            .expect("loss fits");
        for graph in [graph.clone(), fuse(graph)] {
            let training = differentiate(graph, loss).expect("network differentiates");
            graphs.push(fuse_backward(training.clone()).graph);
            graphs.push(recompute(training).graph);
        }
    }
    // And everything again with activations in 16 bits.
    let mut halves = graphs.clone();
    halves.iter_mut().for_each(store_half);
    graphs.extend(halves);
    graphs
}

/// A kernel's text with a dispatch that uses it and where it comes from.
type Variant = (String, Dispatch, String);

/// Each distinct kernel text, and the ops that were not lowered.
fn variants() -> (Vec<Variant>, BTreeSet<String>) {
    let mut found: HashMap<String, (Dispatch, String)> = HashMap::new();
    let mut missing = BTreeSet::new();
    for (name, config) in configurations() {
        // A picture that is a whole number of everything, and an odd batch of larger ones.
        for (batch, side) in [(1, 16), (3, 176)] {
            for graph in graphs(&config, batch, side) {
                // With subgroups, as most desktop cards have them, and without.
                let nodes = graph.nodes.iter();
                for (node, subgroups) in nodes.flat_map(|n| [(n, 0), (n, 32)]) {
                    let has = dispatch::Capabilities {
                        subgroups,
                        ..Default::default()
                    };
                    let Ok(lowered) = lower(&graph, node, has) else {
                        missing.insert(format!("{} ({name})", node.op.name()));
                        continue;
                    };
                    for dispatch in lowered.dispatches {
                        let text = shader::source(dispatch.kernel, &dispatch.constants)
                            .unwrap_or_else(|e| panic!("{name}, {}: {e}", node.label));
                        let place = format!("{name}, {} at {}", node.op.name(), node.label);
                        found.entry(text).or_insert((dispatch, place));
                    }
                }
            }
        }
    }
    let mut variants: Vec<_> = found
        .into_iter()
        .map(|(text, (dispatch, place))| (text, dispatch, place))
        .collect();
    variants.sort_by(|a, b| (a.1.kernel, &a.0).cmp(&(b.1.kernel, &b.0)));
    (variants, missing)
}

#[test]
fn every_op_of_every_network_has_a_kernel() {
    let (_, missing) = variants();
    assert!(missing.is_empty(), "not lowered: {missing:#?}");
}

#[test]
fn every_kernel_variant_translates_everywhere() {
    let (variants, _) = variants();
    let mut problems = Vec::new();
    for (text, dispatch, place) in &variants {
        if let Err(problem) = check(text, Some(dispatch)) {
            problems.push(format!(
                "{} {:?} ({place}): {problem}",
                dispatch.kernel, dispatch.constants
            ));
        }
    }
    assert!(!variants.is_empty());
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn kernels_outside_of_graphs_translate_everywhere() {
    let plain = |kernel| (kernel, 0u32);
    let optimiser = ["gradient_squares", "gradient_norm", "adamw"].map(plain);
    // What `serpent bench` measures arithmetic with.
    let rates = [("rates", 0), ("rates", 1)];
    for (kernel, exp2) in optimiser.into_iter().chain(rates) {
        let constants = [("EXP2", exp2.into())];
        let text = shader::source(kernel, &constants).expect("kernel is there");
        check(&text, None).unwrap_or_else(|problem| panic!("{kernel}: {problem}"));
    }
}

#[test]
fn sums_of_partial_sums_translate_everywhere() {
    for vec4 in [false, true] {
        let text = shader::source("row_sums", &[("VEC4", vec4.into())]).expect("kernel is there");
        check(&text, None).unwrap_or_else(|problem| panic!("VEC4 {vec4}: {problem}"));
    }
}

#[test]
fn kernel_files_are_short_and_say_what_they_do() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders");
    let mut files = 0;
    for directory in [folder.clone(), folder.join("shared")] {
        for entry in std::fs::read_dir(directory).expect("shaders are there") {
            let path = entry.expect("entry reads").path();
            if path.extension().is_none_or(|e| e != "wgsl") {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("shader reads");
            assert!(text.len() < FILE_BYTES, "{} is long", path.display());
            assert!(text.starts_with("//"), "{} has no header", path.display());
        }
    }
    assert!(files >= shader::kernels().count());
}

/// Parses, validates, translates, and compares with the dispatch.
fn check(text: &str, dispatch: Option<&Dispatch>) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    // Half floats only where a kernel says it needs them.
    let half = text.starts_with("enable f16;");
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::SHADER_FLOAT16, half);
    let subgroups = text.contains("subgroupShuffle");
    capabilities.set(Capabilities::SUBGROUP, subgroups);
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|e| e.emit_to_string(text))?;
    let options = spv::Options::default();
    spv::write_vec(&module, &info, &options, None).map_err(|e| format!("SPIR-V: {e}"))?;
    let options = msl::Options {
        lang_version: (2, 1),
        ..Default::default()
    };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|e| format!("MSL: {e}"))?;
    let options = hlsl::Options {
        shader_model: if half {
            hlsl::ShaderModel::V6_2
        } else {
            hlsl::ShaderModel::V6_0
        },
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions::default();
    hlsl::Writer::new(&mut String::new(), &options, &pipeline)
        .write(&module, &info, None)
        .map_err(|e| format!("HLSL: {e}"))?;
    within_limits(&module)?;
    dispatch.map_or(Ok(()), |d| fits(&module, d))
}

/// Workgroup size and memory that every adapter has.
fn within_limits(module: &naga::Module) -> Result<(), String> {
    let [entry] = module.entry_points.as_slice() else {
        return Err("must have one entry point".to_owned());
    };
    if entry.name != "main" {
        return Err(format!("entry point is {}, must be main", entry.name));
    }
    let invocations: u32 = entry.workgroup_size.iter().product();
    if invocations > INVOCATIONS {
        return Err(format!("{invocations} invocations a workgroup"));
    }
    let shared: u32 = module
        .global_variables
        .iter()
        .filter(|(_, g)| g.space == AddressSpace::WorkGroup)
        .map(|(_, g)| module.types[g.ty].inner.size(module.to_ctx()))
        .sum();
    if shared > WORKGROUP_BYTES {
        return Err(format!("{shared} bytes of workgroup memory"));
    }
    Ok(())
}

/// The module's bindings are those of the dispatch.
fn fits(module: &naga::Module, dispatch: &Dispatch) -> Result<(), String> {
    if dispatch.bindings.len() > STORAGE_BUFFERS {
        return Err(format!("{} storage buffers", dispatch.bindings.len()));
    }
    let mut declared = vec![None; dispatch.bindings.len()];
    for (_, global) in module.global_variables.iter() {
        let Some(binding) = global.binding else {
            continue;
        };
        let size = module.types[global.ty].inner.size(module.to_ctx()) as usize;
        match (binding.group, binding.binding as usize, global.space) {
            (0, 0, AddressSpace::Uniform) => {
                if size > (4 * dispatch.params.len()).next_multiple_of(16) {
                    let words = dispatch.params.len();
                    return Err(format!("uniform of {size} bytes, {words} words are given"));
                }
            }
            (0, i, AddressSpace::Storage { access }) if (1..=declared.len()).contains(&i) => {
                declared[i - 1] = Some(if access.contains(StorageAccess::STORE) {
                    Access::Write
                } else {
                    Access::Read
                });
            }
            (group, i, space) => {
                return Err(format!(
                    "binding {i} of group {group} ({space:?}) is not given"
                ));
            }
        }
    }
    for (i, (declared, (_, given))) in declared.iter().zip(&dispatch.bindings).enumerate() {
        if *declared != Some(*given) {
            let i = i + 1;
            return Err(format!("binding {i} is {declared:?}, {given:?} is given"));
        }
    }
    Ok(())
}
