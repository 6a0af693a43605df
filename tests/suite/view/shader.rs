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
    spv::write_vec(&module, &info, &spv::Options::default(), None).expect("SPIR-V");
    msl::write_string(
        &module,
        &info,
        &msl::Options::default(),
        &msl::PipelineOptions::default(),
    )
    .expect("Metal");
    let mut text = String::new();
    let (options, pipeline) = (hlsl::Options::default(), hlsl::PipelineOptions::default());
    hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(&module, &info, None)
        .expect("HLSL");
    let stages: Vec<_> = module.entry_points.iter().map(|e| e.stage).collect();
    assert_eq!(
        stages,
        [naga::ShaderStage::Vertex, naga::ShaderStage::Fragment]
    );
}
