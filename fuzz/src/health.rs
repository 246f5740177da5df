//! What a worker's main container says of itself, which its script may write.

use volley_stats::health::{GeneratorHealth, HealthLines, HealthRow};

use crate::documents::WorkerHealth;
use crate::pieces::pieces;

/// The pieces in which the rows come change nothing, there are no more of them than lines, each is its line, and what is kept of them
/// can be told.
pub fn rows(bytes: &[u8]) {
    let (rows, malformed) = read(&[bytes]);
    let apart: Vec<&[u8]> = pieces(bytes).collect();
    assert_eq!(read(&apart), (rows.clone(), malformed));
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
    assert!(rows.len() as u64 + malformed <= lines);
    let mut health = GeneratorHealth::default();
    for row in &rows {
        assert_eq!(HealthRow::parse(row.to_string().as_bytes()).as_ref(), Some(row));
        let load = health.add(row);
        assert!(load.is_none_or(|load| !(load.saturated && load.is_nothing())));
    }
    let summary = health.summary();
    let told = WorkerHealth::new(Some(&summary), None, &volley_stats::health::OwnErrors::default());
    assert_eq!(told.saturation.is_some(), summary.saturation.is_some(), "every second is an instant");
    let text = serde_json::to_string(&told).unwrap();
    assert_eq!(serde_json::from_str::<WorkerHealth>(&text).unwrap(), told);
}

fn read(pieces: &[&[u8]]) -> (Vec<HealthRow>, u64) {
    let (mut lines, mut rows) = (HealthLines::default(), Vec::new());
    for piece in pieces {
        lines.push(piece, &mut |row| rows.push(row));
    }
    (rows, lines.malformed())
}
