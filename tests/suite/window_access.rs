//! The window for those who do not see it or do not use a pointer.

use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, Node};
use serpent::gui::{Command, Setup, Window};

use crate::window::{
    Answers, click, folder, run, save_picture, settle, setup, shows, window, window_with,
};

/// Everything that can be used.
fn usable<'a>(harness: &'a Harness<'_, Window>) -> Vec<Node<'a>> {
    let nodes = harness.root().children_recursive();
    let usable = |n: &Node<'_>| {
        let data = n.accesskit_node();
        // Text that can be selected is its own name; lists scroll by the keys as well.
        let role = data.role();
        if [
            egui::accesskit::Role::Label,
            egui::accesskit::Role::ScrollBar,
        ]
        .contains(&role)
        {
            return false;
        }
        [
            egui::accesskit::Action::Focus,
            egui::accesskit::Action::Click,
        ]
        .iter()
        .any(|action| data.data().supports_action(*action))
    };
    nodes.filter(usable).collect()
}

/// Places and roles of what can be used and has no name.
fn nameless(harness: &Harness<'_, Window>) -> Vec<String> {
    let named = |n: &&Node<'_>| {
        let label = n.accesskit_node().label();
        label.is_none_or(|l| l.trim().is_empty())
    };
    let nodes = usable(harness);
    let nodes = nodes.iter().filter(named);
    nodes
        .map(|n| format!("{:?} at {:?}", n.accesskit_node().role(), n.rect()))
        .collect()
}

#[test]
fn window_gives_everything_that_can_be_used_a_name() {
    let folder = folder();
    save_picture(&folder.path().join("reference.png"), 40, 30);
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    save_picture(&photos.join("one.png"), 40, 30);
    let answers = Answers {
        picture: folder.path().join("reference.png"),
        folders: vec![photos, folder.path().join("out")],
        ..Answers::default()
    };
    let files = ["photo.png", "reference.png"].map(|n| folder.path().join(n));
    let mut harness = window_with(setup(folder.path()), answers.clone());
    assert_eq!(nameless(&harness), [""; 0], "the empty window");
    drop(harness);

    let start = Setup {
        files: files.to_vec(),
        ..setup(folder.path())
    };
    harness = window_with(start, answers);
    click(&mut harness, "Restore");
    let scenes: [(&str, &[Command]); 9] = [
        ("split", &[]),
        ("side by side", &[Command::ViewSideBySide]),
        ("difference", &[Command::ViewDifference]),
        ("palette", &[Command::Palette]),
        ("help", &[Command::Palette, Command::Help]),
        (
            "compare",
            &[Command::Help, Command::GoCompare, Command::ChooseReference],
        ),
        ("no batch", &[Command::GoBatch]),
        ("batch", &[Command::BatchFolder, Command::BatchOutput]),
        ("settings", &[Command::GoSettings]),
    ];
    for (scene, commands) in scenes {
        for command in commands {
            run(&mut harness, *command);
        }
        assert!(usable(&harness).len() > 6, "{scene}");
        assert_eq!(nameless(&harness), [""; 0], "{scene}");
    }
}

/// Goes from one to the next until `label` has the focus.
fn tab_to(harness: &mut Harness<'_, Window>, label: &str) {
    let focused = |h: &Harness<'_, Window>| {
        let nodes = h.root().children_recursive();
        let at = nodes.into_iter().find(Node::is_focused);
        at.and_then(|n| n.accesskit_node().label())
    };
    for _ in 0..60 {
        harness.key_press(egui::Key::Tab);
        settle(harness);
        if focused(harness).as_deref() == Some(label) {
            return;
        }
    }
    panic!("{label} is never focused");
}

#[test]
fn window_is_used_with_the_tab_key_alone() {
    let folder = folder();
    let mut harness = window(folder.path(), &["photo.png"], "out.png");
    for (label, expected) in [
        ("Choose photos…", "photo.png"),
        ("Restore", "Strength"),
        ("Save as…", "Saved "),
    ] {
        tab_to(&mut harness, label);
        harness.key_press(egui::Key::Enter);
        settle(&mut harness);
        assert!(shows(&harness, expected), "{label}");
    }
    assert!(folder.path().join("out.png").exists());
    // The divider moves with the arrows.
    tab_to(&mut harness, "Divider between before and after");
    let before = harness.render().unwrap();
    for _ in 0..10 {
        harness.key_press(egui::Key::ArrowRight);
        settle(&mut harness);
    }
    assert_ne!(before, harness.render().unwrap());
    assert!(harness.query_by_label("Restore").is_some());
}
