//! `serpent compare`: how close pictures are to each other.

use std::path::{Path, PathBuf};

use serde_json::json;
use serpent_engine::image::Picture;
use serpent_engine::metrics::{Protocol, Quality, compare};

use super::common::{Global, Outcome};
use super::table::table;

/// Compare two pictures, with each other or each with a reference
///
/// PSNR and SSIM after rounding to 8 bits, over red, green and blue of sRGB: colour profiles are
/// followed, and light is compared as a screen shows it.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// A picture
    a: PathBuf,
    /// Another picture
    b: PathBuf,
    /// The picture both should be like
    #[arg(long, value_name = "PICTURE")]
    reference: Option<PathBuf>,
    /// Compare the luma instead, with so many pixels cut from the border: how super-resolution is published
    #[arg(long, value_name = "BORDER")]
    luma: Option<usize>,
}

/// Runs the command.
pub(super) fn run(args: &CompareArgs, global: &Global) -> anyhow::Result<Outcome> {
    let protocol = args
        .luma
        .map_or(Protocol::Rgb8, |border| Protocol::Luma { border });
    let (reference, others) = match &args.reference {
        Some(reference) => (reference, vec![&args.a, &args.b]),
        None => (&args.b, vec![&args.a]),
    };
    let clean = Picture::open(reference)?.in_srgb().to_rgb();
    let mut rows: Vec<(&Path, Quality)> = Vec::new();
    for path in others {
        let picture = Picture::open(path)?.in_srgb().to_rgb();
        let quality = compare(&clean, &picture, protocol)
            .map_err(|e| anyhow::anyhow!("{} and {}: {e}", path.display(), reference.display()))?;
        rows.push((path, quality));
    }
    if global.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(path, q)| json!({"picture": path.to_string_lossy(), "psnr": finite(q.psnr), "ssim": q.ssim}))
            .collect();
        let all = json!({"reference": reference.to_string_lossy(), "pictures": rows});
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        let rows: Vec<_> = rows
            .iter()
            .map(|(path, q)| {
                let ssim = q.ssim.map_or("-".to_owned(), |s| format!("{s:.4}"));
                vec![path.display().to_string(), format!("{:.2}", q.psnr), ssim]
            })
            .collect();
        println!("{}", table(&["picture", "PSNR dB", "SSIM"], &rows));
    }
    Ok(Outcome::Done)
}

/// JSON knows no infinity: equal pictures have no PSNR there.
pub(super) fn finite(psnr: f64) -> Option<f64> {
    psnr.is_finite().then_some(psnr)
}
