//! Names of outputs: a template with places for what is known about the picture.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::request::Labels;

/// Characters that some file system refuses in names.
const FORBIDDEN: &[char] = &['\\', ':', '*', '?', '"', '<', '>', '|'];

/// A name for outputs, without extension, such as `{name}-{model}`.
///
/// | place | |
/// |---|---|
/// | `{name}` | the input's name without extension |
/// | `{parent}` | name of the folder the input is in |
/// | `{model}` | name of the model |
/// | `{scale}` | how many times the model enlarges |
/// | `{strength}` | strength in percent |
/// | `{n}` | the picture's number in the batch, from 1, with as many digits as the last needs |
///
/// A slash makes a folder: `{model}/{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name,
    Parent,
    Model,
    Scale,
    Strength,
    Number,
}

/// A template that makes no names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A place nothing is known for.
    #[error(
        "{{{place}}} is nothing that a name can have; there are {{name}}, {{parent}}, {{model}}, {{scale}}, {{strength}} and {{n}}"
    )]
    Unknown {
        /// What stands in the braces.
        place: String,
    },
    /// A brace without its partner.
    #[error("a brace is not closed or not opened in {template:?}")]
    Brace {
        /// The template.
        template: String,
    },
    /// Something a file's name cannot have or a path must not.
    #[error("{template:?} makes no name for a file: {problem}")]
    Name {
        /// The template.
        template: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Every picture would get one name.
    #[error("{template:?} gives every picture the same name; add {{name}} or {{n}}")]
    Same {
        /// The template.
        template: String,
    },
}

impl Default for Template {
    /// `{name}`.
    fn default() -> Self {
        Self {
            parts: vec![Part::Name],
        }
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let brace = || TemplateError::Brace {
            template: text.to_owned(),
        };
        let wrong = |problem| TemplateError::Name {
            template: text.to_owned(),
            problem,
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (before, after) = match rest.split_once('{') {
                Some((before, after)) => (before, Some(after)),
                None => (rest, None),
            };
            if before.contains('}') {
                return Err(brace());
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some(after) = after else { break };
            let (place, behind) = after.split_once('}').ok_or_else(brace)?;
            parts.push(match place {
                "name" => Part::Name,
                "parent" => Part::Parent,
                "model" => Part::Model,
                "scale" => Part::Scale,
                "strength" => Part::Strength,
                "n" => Part::Number,
                other => {
                    return Err(TemplateError::Unknown {
                        place: other.to_owned(),
                    });
                }
            });
            rest = behind;
        }
        if text.contains(FORBIDDEN) || text.contains(char::is_control) {
            return Err(wrong("it has a character that names cannot have"));
        }
        // Places stand for something, so only text can make an empty or a climbing step.
        let steps = || text.split('/');
        if steps().any(|s| s.is_empty() || s == "." || s == "..") {
            return Err(wrong(
                "it is empty, begins or ends in a slash, or leaves its folder",
            ));
        }
        if steps().any(|s| s.starts_with('.')) {
            return Err(wrong("the file would be hidden"));
        }
        if !parts.iter().any(|p| matches!(p, Part::Name | Part::Number)) {
            return Err(TemplateError::Same {
                template: text.to_owned(),
            });
        }
        Ok(Self { parts })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            f.write_str(match part {
                Part::Text(text) => text,
                Part::Name => "{name}",
                Part::Parent => "{parent}",
                Part::Model => "{model}",
                Part::Scale => "{scale}",
                Part::Strength => "{strength}",
                Part::Number => "{n}",
            })?;
        }
        Ok(())
    }
}

impl Template {
    /// Whether names follow the pictures' numbers, which change when pictures are added.
    pub fn has_number(&self) -> bool {
        self.parts.contains(&Part::Number)
    }

    /// The name for one input, number `n` of `count`, without extension.
    pub(super) fn name(&self, input: &Path, labels: &Labels, n: usize, count: usize) -> PathBuf {
        let mut name = OsString::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push(text),
                Part::Name => name.push(input.file_stem().unwrap_or(OsStr::new("picture"))),
                Part::Parent => {
                    let folder = input.parent().and_then(Path::file_name);
                    name.push(folder.unwrap_or(OsStr::new("folder")));
                }
                Part::Model => name.push(labels.model.replace(
                    |c: char| c == '/' || FORBIDDEN.contains(&c) || c.is_control(),
                    "_",
                )),
                Part::Scale => name.push(labels.scale.to_string()),
                Part::Strength => {
                    name.push(((labels.strength * 100.0).round() as u32).to_string());
                }
                Part::Number => {
                    let digits = count.to_string().len();
                    name.push(format!("{n:0digits$}"));
                }
            }
        }
        PathBuf::from(name)
    }
}
