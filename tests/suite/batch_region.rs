//! A region restored alone equals the same region of the whole picture.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::{Colour, Picture};
use serpent_engine::restore::{
    Device, Engine, Event, Job, Options, Region, Restored, Restorer, Source, load_any,
};

use crate::models::{identity, picture, small};

/// Most that a sample of a region may be from the whole picture's, of 255: the bound that the
/// documents name.
const BOUND: f32 = 1.0;

fn restorer(model: Checkpoint) -> Restorer {
    Restorer::new(Arc::new(Device::cpu()), Arc::new(model)).unwrap()
}

fn region(x: usize, y: usize, width: usize, height: usize) -> Region {
    Region {
        x,
        y,
        width,
        height,
    }
}

fn part(restorer: &mut Restorer, p: &Picture, region: &Region, options: &Options) -> Restored {
    restorer
        .restore_region(p, region, options, &mut |_, _| ControlFlow::Continue(()))
        .unwrap()
}

fn whole(restorer: &mut Restorer, p: &Picture, options: &Options) -> Picture {
    restorer
        .restore(p, options, &mut |_, _| ControlFlow::Continue(()))
        .unwrap()
        .picture
}

/// The largest difference of 255.
fn worst(a: &Picture, b: &Picture) -> f32 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let pairs = a.samples().iter().zip(b.samples());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) * 255.0
}

fn scaled(r: &Region, scale: usize) -> Region {
    region(r.x * scale, r.y * scale, r.width * scale, r.height * scale)
}

#[test]
fn a_region_is_what_the_whole_picture_has_there() {
    let p = picture(310, 270);
    let places = [
        region(0, 0, 40, 30),
        region(101, 77, 50, 60),
        region(290, 251, 20, 19),
        region(7, 200, 280, 9),
    ];
    for (scale, noise_map, strength) in [(1, false, 1.0), (2, false, 0.6), (1, true, 1.0)] {
        let options = Options {
            strength,
            ..Options::default()
        };
        let change = |c: &mut serpent_engine::network::NetworkConfig| {
            c.scale = scale;
            c.noise_map = noise_map;
        };
        let mut restorer = restorer(small(change));
        let all = whole(&mut restorer, &p, &options);
        if scale == 1 {
            assert!(worst(&all, &p) > BOUND, "the network does something");
        }
        for place in &places {
            let alone = part(&mut restorer, &p, place, &options).picture;
            let there = scaled(place, scale).cut(&all).unwrap();
            let distance = worst(&alone, &there);
            println!("scale {scale}, noise map {noise_map}, {place:?}: {distance:.4} of 255");
            assert!(distance < BOUND, "{place:?}: {distance}");
        }
    }
}

#[test]
fn the_trained_denoiser_keeps_to_the_bound_in_regions() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/denoise-base.safetensors"
    );
    let model = load_any(std::path::Path::new(path)).unwrap();
    // Photograph-like is not needed: noise and waves make every weight work.
    let p = picture(336, 272);
    let mut restorer = restorer(model);
    let all = whole(&mut restorer, &p, &Options::default());
    for place in [region(150, 120, 40, 40), region(300, 240, 36, 32)] {
        let alone = part(&mut restorer, &p, &place, &Options::default()).picture;
        let distance = worst(&alone, &place.cut(&all).unwrap());
        println!("{place:?}: {distance:.4} of 255");
        assert!(distance < BOUND, "{place:?}: {distance}");
    }
}

#[test]
fn a_region_keeps_the_kind_of_the_picture_and_is_clipped_to_it() {
    let samples = (0..90 * 80).map(|i| i as f32 / 7200.0).collect();
    let alpha = (0..90 * 80).map(|i| 1.0 - i as f32 / 7200.0).collect();
    let p = Picture::new(90, 80, Colour::Grey, samples)
        .unwrap()
        .with_alpha(Some(alpha))
        .unwrap();
    let mut restorer = restorer(identity(|_| ()));
    let alone = part(
        &mut restorer,
        &p,
        &region(70, 60, 1000, 1000),
        &Options::default(),
    );
    let expected = region(70, 60, 20, 20).cut(&p).unwrap();
    assert_eq!(alone.picture.colour(), Colour::Grey);
    assert_eq!(alone.picture.alpha(), expected.alpha());
    // The mean of three equal channels may round.
    assert!(worst(&alone.picture, &expected) < 1e-3);
    let outside = restorer.restore_region(
        &p,
        &region(90, 0, 5, 5),
        &Options::default(),
        &mut |_, _| ControlFlow::Continue(()),
    );
    assert!(outside.unwrap_err().to_string().contains("region"));
}

#[test]
fn a_job_with_a_region_takes_the_time_of_the_region() {
    let (engine, events) = Engine::start_with(|| Ok(Device::cpu()), || ());
    let model = Arc::new(small(|_| ()));
    let large = Arc::new(picture(4000, 3000));
    let mut took = Vec::new();
    for (id, x) in [(1, 1000), (2, 1013)] {
        let start = Instant::now();
        engine.submit(Job {
            id,
            source: Source::Picture(large.clone()),
            model: model.clone(),
            options: Options::default(),
            region: Some(region(x, 800, 100, 80)),
            output: None,
        });
        let (picture, pixels) = finished(&events, id);
        assert_eq!((picture.width(), picture.height()), (100, 80));
        assert_eq!(pixels, 8000);
        took.push(start.elapsed());
    }
    println!("region of 100x80 in 12 megapixels: {took:?}");
    // The whole has 340 times the pixels that a region with its context has.
    assert!(took[1].as_secs_f64() < 3.0, "{took:?}");
}

fn finished(events: &Receiver<Event>, wanted: u64) -> (Arc<Picture>, u64) {
    let mut told = 0;
    for event in events {
        match event {
            Event::Progress { pixels, .. } => told = pixels,
            Event::Finished { id, picture, .. } if id == wanted => return (picture, told),
            Event::Failed { message, .. } => panic!("{message}"),
            _ => (),
        }
    }
    panic!("the engine ended");
}
