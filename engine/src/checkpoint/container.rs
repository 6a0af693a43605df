//! The safetensors file itself: bounded reading with every tensor checked, atomic writing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, View};

use super::CheckpointError;
use crate::files::write_whole_or;

/// Largest header read: names and sizes of the largest network allowed, four times over.
const HEADER_LIMIT: u64 = 16 << 20;
/// Largest file read.
const FILE_LIMIT: u64 = 8 << 30;

/// Reads a whole file, refusing what is not a regular file of plausible size.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    let io = |action| move |source| io_error(path, action, source);
    let file = File::open(path).map_err(io("open"))?;
    let about = file.metadata().map_err(io("read"))?;
    let refuse = |problem: &str| {
        Err(CheckpointError::NotAFile {
            path: path.to_owned(),
            problem: problem.to_owned(),
        })
    };
    if !about.is_file() {
        return refuse("not a regular file");
    }
    if about.len() > FILE_LIMIT {
        return refuse("larger than 8 GiB");
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    // The limit again, in case the file grows while it is read.
    file.take(FILE_LIMIT)
        .read_to_end(&mut bytes)
        .map_err(io("read"))?;
    Ok(bytes)
}

/// A parsed file: metadata and views of its tensors.
pub(super) struct Container<'a> {
    path: PathBuf,
    metadata: HashMap<String, String>,
    tensors: HashMap<String, TensorView<'a>>,
}

impl<'a> Container<'a> {
    /// Parses the header; nothing of the tensors is copied.
    pub(super) fn parse(path: &Path, bytes: &'a [u8]) -> Result<Self, CheckpointError> {
        check_header_size(path, bytes)?;
        let invalid = |error: SafeTensorError| match error {
            SafeTensorError::MetadataIncompleteBuffer => CheckpointError::Truncated {
                path: path.to_owned(),
                problem: "the tensors do not fill the file exactly".to_owned(),
            },
            other => CheckpointError::NotSafetensors {
                path: path.to_owned(),
                problem: other.to_string(),
            },
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(invalid)?;
        Ok(Self {
            path: path.to_owned(),
            metadata: header.metadata().clone().unwrap_or_default(),
            tensors: tensors.tensors().into_iter().collect(),
        })
    }

    /// Whether there is such a metadata entry.
    pub(super) fn has(&self, key: &str) -> bool {
        self.metadata.contains_key(key)
    }

    /// A metadata entry.
    pub(super) fn text(&self, key: &'static str) -> Result<&str, CheckpointError> {
        match self.metadata.get(key) {
            Some(text) => Ok(text),
            None => Err(self.metadata_error(key, "is missing")),
        }
    }

    /// A metadata entry that holds JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(
        &self,
        key: &'static str,
    ) -> Result<T, CheckpointError> {
        serde_json::from_str(self.text(key)?).map_err(|e| self.metadata_error(key, &e.to_string()))
    }

    pub(super) fn metadata_error(&self, key: &'static str, problem: &str) -> CheckpointError {
        CheckpointError::Metadata {
            path: self.path.clone(),
            key,
            problem: problem.to_owned(),
        }
    }

    /// Takes a tensor out as 32-bit values, checking sizes, type and finiteness.
    ///
    /// Only then is memory taken, and no more than twice what the file holds.
    pub(super) fn take(&mut self, name: &str, dims: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let path = || self.path.clone();
        let name_owned = || name.to_owned();
        let Some(view) = self.tensors.remove(name) else {
            return Err(CheckpointError::MissingTensor {
                path: path(),
                name: name_owned(),
            });
        };
        if view.shape() != dims {
            return Err(CheckpointError::Shape {
                path: path(),
                name: name_owned(),
                found: view.shape().to_vec(),
                expected: dims.to_vec(),
            });
        }
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => view
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&b| f32::from_le_bytes(b))
                .collect(),
            Dtype::F16 => view
                .data()
                .as_chunks::<2>()
                .0
                .iter()
                .map(|&b| f16::from_le_bytes(b).to_f32())
                .collect(),
            other => {
                return Err(CheckpointError::ElementType {
                    path: path(),
                    name: name_owned(),
                    found: other.to_string(),
                });
            }
        };
        check_finite(&self.path, name, &values)?;
        Ok(values)
    }

    /// Refuses tensors nobody took.
    pub(super) fn finish(self) -> Result<(), CheckpointError> {
        match self.tensors.into_keys().min() {
            None => Ok(()),
            Some(name) => Err(CheckpointError::ExtraTensor {
                path: self.path,
                name,
            }),
        }
    }
}

/// Tells the usual wrong files (pictures, text, half a download) apart before parsing.
fn check_header_size(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let path = path.to_owned();
    let Some(&size) = bytes.first_chunk::<8>() else {
        let problem = format!("only {} bytes", bytes.len());
        return Err(CheckpointError::Truncated { path, problem });
    };
    let size = u64::from_le_bytes(size);
    if size > HEADER_LIMIT {
        return Err(CheckpointError::HeaderTooLarge {
            path,
            bytes: size,
            limit: HEADER_LIMIT,
        });
    }
    if size > bytes.len() as u64 - 8 {
        let problem = format!("a header of {size} bytes, {} follow", bytes.len() - 8);
        return Err(CheckpointError::Truncated { path, problem });
    }
    Ok(())
}

fn check_finite(path: &Path, name: &str, values: &[f32]) -> Result<(), CheckpointError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(CheckpointError::NotFinite {
            path: path.to_owned(),
            name: name.to_owned(),
            index,
            value: values[index],
        }),
    }
}

/// A tensor to be written.
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    pub(super) dims: &'a [usize],
    pub(super) values: &'a [f32],
    /// Stored in 16 bits instead of 32.
    pub(super) half: bool,
}

impl Tensor<'_> {
    /// Refuses a wrong number of values, and values that are not finite as stored.
    fn check(&self, path: &Path) -> Result<(), CheckpointError> {
        let expected = self.dims.iter().product();
        if self.values.len() != expected {
            return Err(CheckpointError::Weights {
                path: path.to_owned(),
                what: format!("values of {}", self.name),
                expected,
                got: self.values.len(),
            });
        }
        if self.half {
            let stored: Vec<f32> = self
                .values
                .iter()
                .map(|&v| f16::from_f32(v).to_f32())
                .collect();
            return check_finite(path, &self.name, &stored);
        }
        check_finite(path, &self.name, self.values)
    }
}

impl View for &Tensor<'_> {
    fn dtype(&self) -> Dtype {
        if self.half { Dtype::F16 } else { Dtype::F32 }
    }

    fn shape(&self) -> &[usize] {
        self.dims
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.half {
            true => self
                .values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
            false => self.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        self.values.len() * if self.half { 2 } else { 4 }
    }
}

/// Writes tensors and metadata so that `path` is either the old file or the whole new one.
pub(super) fn write(
    path: &Path,
    tensors: &[Tensor<'_>],
    metadata: HashMap<String, String>,
) -> Result<(), CheckpointError> {
    for tensor in tensors {
        tensor.check(path)?;
    }
    let named = tensors.iter().map(|t| (t.name.as_str(), t));
    let bytes = safetensors::serialize(named, Some(metadata)).map_err(|e| {
        CheckpointError::NotSafetensors {
            path: path.to_owned(),
            problem: e.to_string(),
        }
    })?;
    write_atomic(path, &bytes)
}

/// The file whole or not at all.
pub(super) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let failed = |what, error| io_error(path, what, error);
    let fill = |file: &mut File| {
        file.write_all(bytes)
            .map_err(|e| failed("write the file", e))
    };
    write_whole_or(path, fill, failed)
}

pub(super) fn io_error(
    path: &Path,
    action: &'static str,
    source: std::io::Error,
) -> CheckpointError {
    CheckpointError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}
