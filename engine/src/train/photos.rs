//! Photographs kept decoded in memory, 8 bits a sample.

use std::path::{Path, PathBuf};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rayon::prelude::*;
use walkdir::WalkDir;

use super::TrainError;
use super::held_out::held_out;
use crate::image::{Format, Picture};

/// A decoded photograph.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Red, green, blue of each pixel, rows from the top.
    pub rgb: Vec<u8>,
}

impl Photo {
    /// The square of `side` pixels at (x, y) shrunk to `to`: bicubic, antialiased, rounded to 8 bits as
    /// a smaller file of it would be.
    ///
    /// # Errors
    /// [`TrainError::Data`] when the square is not inside.
    pub fn shrunk(&self, x: usize, y: usize, side: usize, to: usize) -> Result<Self, TrainError> {
        let wrong = |e: &dyn std::fmt::Display| TrainError::Data(format!("shrinking a crop: {e}"));
        let whole = ImageRef::new(
            self.width as u32,
            self.height as u32,
            &self.rgb,
            PixelType::U8x3,
        )
        .map_err(|e| wrong(&e))?;
        let mut small = Image::new(to as u32, to as u32, PixelType::U8x3);
        let options = ResizeOptions::new()
            .crop(x as f64, y as f64, side as f64, side as f64)
            .resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        Resizer::new()
            .resize(&whole, &mut small, &options)
            .map_err(|e| wrong(&e))?;
        Ok(Self {
            width: to,
            height: to,
            rgb: small.into_vec(),
        })
    }
}

/// All photographs of some folders.
#[derive(Clone, Debug, Default)]
pub struct Photos {
    /// The photographs in the order of their paths.
    pub photos: Vec<Photo>,
    /// Files that were left out, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

impl Photos {
    /// Decodes every photograph under `folders` on all cores; those with a side below `least`
    /// and pictures of the test sets are left out.
    ///
    /// # Errors
    /// [`TrainError::Data`] when a folder cannot be read or nothing usable is found.
    pub fn load(folders: &[PathBuf], least: usize) -> Result<Self, TrainError> {
        let mut paths = Vec::new();
        for folder in folders {
            paths.extend(pictures_in(folder)?);
        }
        let decoded: Vec<Result<Photo, String>> =
            paths.par_iter().map(|path| decode(path, least)).collect();
        let mut all = Self::default();
        for (path, result) in paths.into_iter().zip(decoded) {
            match result {
                Ok(photo) => all.photos.push(photo),
                Err(reason) => all.skipped.push((path, reason)),
            }
        }
        if all.photos.is_empty() {
            let names: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            let why = match all.skipped.first() {
                Some((path, reason)) => format!(", the first: {}: {reason}", path.display()),
                None => String::new(),
            };
            return Err(TrainError::Data(format!(
                "no usable photograph in {} ({} files left out{why})",
                names.join(", "),
                all.skipped.len()
            )));
        }
        Ok(all)
    }

    /// Pixels of all photographs, in millions.
    pub fn megapixels(&self) -> f64 {
        let pixels = |p: &Photo| (p.width * p.height) as f64;
        self.photos.iter().map(pixels).sum::<f64>() / 1e6
    }
}

/// Paths of all pictures under a folder, sorted.
pub(super) fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let mut paths = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|e| TrainError::Data(e.to_string()))?;
        if entry.file_type().is_file() && Format::from_path(entry.path()).is_some() {
            paths.push(entry.into_path());
        }
    }
    Ok(paths)
}

fn decode(path: &Path, least: usize) -> Result<Photo, String> {
    let picture = Picture::open(path).map_err(|e| e.to_string())?;
    let (width, height) = (picture.width(), picture.height());
    if width.min(height) < least {
        return Err(format!(
            "{width} × {height} pixels, a crop needs {least} on each side"
        ));
    }
    // What restoring shows a network.
    let rgb = picture.in_srgb().to_rgb().to_bytes();
    if let Some(reason) = held_out(path, &rgb, width) {
        return Err(reason);
    }
    Ok(Photo { width, height, rgb })
}
