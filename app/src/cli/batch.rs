//! The file options of commands that turn pictures into pictures.

use std::path::PathBuf;

use serpent_engine::image::{Format, SaveOptions};
use serpent_engine::restore::batch::{
    BatchPlan, BatchRequest, Destination, Existing, Labels, Template, plan_batch,
};

/// Quality of JPEG files when none is asked for.
const QUALITY: u8 = 95;

/// Which files become which.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct BatchArgs {
    /// Pictures or folders to read
    #[arg(short, long = "input", required = true, num_args = 1.., value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// Picture to write; a folder for several pictures, in which the input folder's tree is mirrored
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Write each picture into the folder of its original, under another name (see --template)
    #[arg(long, conflicts_with = "output")]
    pub beside: bool,
    /// Names of outputs without extension, from {name}, {parent} (the folder's name), {model}, {scale}, {strength} (in percent) and {n} (number in the batch); a slash makes a folder [default: {name}; with --beside {name}-{model}]
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<Template>,
    /// Format to write: png, jpg, webp, tif, bmp, exr or hdr [default: as the name says, else as the input]
    #[arg(short, long, value_parser = format, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Quality of JPEG files, 1 to 100 [default: 95]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100), value_name = "N")]
    pub quality: Option<u8>,
    /// Leave out where the pictures were taken (GPS in EXIF and XMP)
    #[arg(long)]
    pub strip_gps: bool,
    /// Look into folders inside the folder too; the output mirrors them
    #[arg(short, long)]
    pub recursive: bool,
    /// Replace outputs that exist
    #[arg(long)]
    pub overwrite: bool,
    /// Replace outputs that exist, but for those made earlier from the same pictures with the same settings
    #[arg(long, conflicts_with = "overwrite")]
    pub update: bool,
    /// Leave outputs that exist, whatever they are, and pass over their pictures
    #[arg(long, conflicts_with_all = ["overwrite", "update"])]
    pub skip_existing: bool,
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_extension(text.trim_start_matches('.'))
        .filter(|f| f.can_write())
        .ok_or_else(|| "give png, jpg, webp, tif, bmp, exr or hdr".to_owned())
}

impl BatchArgs {
    /// What to do with outputs that exist, if that was said.
    pub fn existing(&self) -> Option<Existing> {
        let said = [
            (self.overwrite, Existing::Overwrite),
            (self.update, Existing::Update),
            (self.skip_existing, Existing::Skip),
        ];
        said.iter().find(|(on, _)| *on).map(|(_, what)| *what)
    }

    /// Sets the switch for outputs that exist.
    pub fn set_existing(&mut self, existing: Existing) {
        self.overwrite = existing == Existing::Overwrite;
        self.update = existing == Existing::Update;
        self.skip_existing = existing == Existing::Skip;
    }

    /// What is asked for.
    pub fn request(
        &self,
        labels: Labels,
        settings: Option<String>,
    ) -> anyhow::Result<BatchRequest> {
        let destination = match (&self.output, self.beside) {
            (Some(output), _) => Destination::At(output.clone()),
            (None, true) => Destination::Beside,
            (None, false) => anyhow::bail!(
                "it is not said where the pictures go; give -o OUT, or --beside for the folders of the originals"
            ),
        };
        Ok(BatchRequest {
            inputs: self.inputs.clone(),
            destination,
            template: self.template.clone(),
            labels,
            recursive: self.recursive,
            format: self.format,
            existing: self.existing().unwrap_or_default(),
            settings,
            only: None,
            shard: None,
        })
    }

    /// Finds the pictures and prints those that cannot be done; nothing is noted in a journal.
    pub fn plan(&self, verb: &str) -> anyhow::Result<BatchPlan> {
        let labels = Labels {
            model: verb.to_owned(),
            ..Labels::default()
        };
        let plan = plan_batch(&self.request(labels, None)?)?;
        for (_, message) in plan.refused() {
            eprintln!("{message}");
        }
        Ok(plan)
    }

    /// How results are saved; the format is the output's name's.
    pub fn save_options(&self) -> SaveOptions {
        SaveOptions {
            format: None,
            quality: self.quality.unwrap_or(QUALITY),
            strip_gps: self.strip_gps,
        }
    }
}
