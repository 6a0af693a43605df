//! The file options of commands that turn pictures into pictures.

use std::path::PathBuf;

use serpent_engine::image::{Format, SaveOptions};
use serpent_engine::restore::batch::{BatchPlan, BatchRequest, Existing, plan_batch};

/// Which files become which.
#[derive(Debug, clap::Args)]
pub(super) struct BatchArgs {
    /// Pictures or folders to read
    #[arg(short, long = "input", required = true, num_args = 1.., value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// Picture to write; a folder for several pictures
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Format to write: png, jpg, webp, tif or bmp [default: as the name says, else as the input]
    #[arg(short, long, value_parser = format, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Quality of JPEG files, 1 to 100
    #[arg(long, default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100), value_name = "N")]
    pub quality: u8,
    /// Look into folders inside the folder too; the output mirrors them
    #[arg(short, long)]
    pub recursive: bool,
    /// Replace outputs that exist
    #[arg(long, conflicts_with = "skip_existing")]
    pub overwrite: bool,
    /// Leave outputs that exist and pass over their pictures
    #[arg(long)]
    pub skip_existing: bool,
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_extension(text.trim_start_matches('.'))
        .filter(|f| f.can_write())
        .ok_or_else(|| "give png, jpg, webp, tif or bmp".to_owned())
}

impl BatchArgs {
    /// Finds the pictures and prints those that cannot be done.
    pub fn plan(&self) -> anyhow::Result<BatchPlan> {
        let plan = plan_batch(&BatchRequest {
            inputs: self.inputs.clone(),
            output: self.output.clone(),
            recursive: self.recursive,
            format: self.format,
            existing: match (self.overwrite, self.skip_existing) {
                (true, _) => Existing::Overwrite,
                (_, true) => Existing::Skip,
                _ => Existing::Refuse,
            },
        })?;
        for (_, message) in &plan.refused {
            eprintln!("{message}");
        }
        Ok(plan)
    }

    /// How results are saved; the format is the output's name's.
    pub fn save_options(&self) -> SaveOptions {
        SaveOptions {
            format: None,
            quality: self.quality,
        }
    }
}
