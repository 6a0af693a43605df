//! The viewer's shader in every shading language.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};

const SOURCE: &str = include_str!("../../../app/src/gui/view/picture.wgsl");

#[test]
fn the_picture_shader_is_valid_everywhere() {
    assert!(SOURCE.starts_with("// ") && SOURCE.len() < 8192);
    let module = naga::front::wgsl::parse_str(SOURCE)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(SOURCE)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    let info = validator.validate(&module).expect("valid");
    for (two, filtering) in [(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (1.0, 3.0)] {
        let constants = [("two".to_owned(), two), ("filtering".to_owned(), filtering)];
        let constants = constants.into_iter().collect();
        let (module, info) =
            naga::back::pipeline_constants::process_overrides(&module, &info, None, &constants)
                .expect("constants");
        in_every_language(&module, &info);
    }
    let stages: Vec<_> = module.entry_points.iter().map(|e| e.stage).collect();
    assert_eq!(
        stages,
        [naga::ShaderStage::Vertex, naga::ShaderStage::Fragment]
    );
}

fn in_every_language(module: &naga::Module, info: &naga::valid::ModuleInfo) {
    spv::write_vec(module, info, &spv::Options::default(), None).expect("SPIR-V");
    msl::write_string(
        module,
        info,
        &msl::Options::default(),
        &msl::PipelineOptions::default(),
    )
    .expect("Metal");
    let mut text = String::new();
    let (options, pipeline) = (hlsl::Options::default(), hlsl::PipelineOptions::default());
    hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(module, info, None)
        .expect("HLSL");
}
