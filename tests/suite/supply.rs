//! What is built in keeps to deny.toml: licences, sources, one version of some, none of others.
//!
//! cargo-deny reads the same file and knows more (advisories); compiling it would take longer
//! than all of these tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{
    CargoOpt, DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId,
};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The parts of deny.toml that are looked at here.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Graph {
    targets: Vec<String>,
    all_features: bool,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// One version is welcome, two are not; absent, none is.
    #[serde(default, rename = "deny-multiple-versions")]
    one: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

/// What a program for this target is made of.
fn parts(root: &Path, target: &str) -> Metadata {
    MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked", "--filter-platform", target].map(str::to_owned))
        .exec()
        .unwrap_or_else(|error| panic!("{target}: {error}"))
}

/// All but what only tests use.
fn built_in(metadata: &Metadata) -> BTreeSet<&PackageId> {
    let nodes = metadata.resolve.iter().flat_map(|r| &r.nodes);
    let nodes: BTreeMap<&PackageId, &Node> = nodes.map(|n| (&n.id, n)).collect();
    let mut found = BTreeSet::new();
    let mut left: Vec<&PackageId> = metadata.workspace_members.iter().collect();
    while let Some(id) = left.pop() {
        if found.insert(id) {
            let needed = nodes[id].deps.iter().filter(|d| {
                let mut kinds = d.dep_kinds.iter();
                kinds.any(|k| k.kind != DependencyKind::Development)
            });
            left.extend(needed.map(|d| &d.pkg));
        }
    }
    found
}

/// Why this package may not be built in, if so.
fn objection(package: &Package, rules: &Rules) -> Option<String> {
    let source = package.source.as_ref().map(|s| s.repr.as_str());
    if source.is_some_and(|s| s != CRATES_IO) {
        return Some(format!("comes from {}", source.unwrap_or_default()));
    }
    let allowed = |licence: &str| {
        let more = rules.licenses.exceptions.iter();
        let mut more = more.filter(|e| e.name == **package.name);
        rules.licenses.allow.iter().any(|l| l == licence)
            || more.any(|e| e.allow.iter().any(|l| l == licence))
    };
    let Some(licence) = &package.license else {
        return Some("says no licence".to_owned());
    };
    let passes = match Expression::parse_mode(licence, ParseMode::LAX) {
        Ok(expression) => expression.evaluate(|l| allowed(&l.to_string())),
        Err(_) => false,
    };
    (!passes).then(|| format!("has the licence {licence}"))
}

#[test]
fn what_is_built_in_keeps_to_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let rules = std::fs::read_to_string(root.join("deny.toml")).unwrap();
    let rules: Rules = toml::from_str(&rules).unwrap();
    assert!(rules.graph.all_features && rules.graph.targets.len() == 3);
    let sources = [&rules.sources.unknown_registry, &rules.sources.unknown_git];
    assert_eq!(sources, ["deny", "deny"]);
    let mut found = BTreeSet::new();
    for target in &rules.graph.targets {
        let metadata = parts(root, target);
        let used = built_in(&metadata);
        let used = metadata.packages.iter().filter(|p| used.contains(&p.id));
        let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
        for package in used {
            *versions.entry(&package.name).or_default() += 1;
            let at = format!("{} {}", package.name, package.version);
            found.extend(objection(package, &rules).map(|why| format!("{at} {why}")));
        }
        assert!(versions.len() > 200, "{target}: {}", versions.len());
        for ban in &rules.bans.deny {
            let count = versions.get(ban.name.as_str()).copied().unwrap_or(0);
            if count > usize::from(ban.one) {
                found.insert(format!("{} is built in {count} times", ban.name));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
