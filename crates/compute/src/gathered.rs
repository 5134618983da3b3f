//! Collections of resources that are read one by one: what could not be read of one does not hide the
//! others.

use engine::{Collected, Error, Live};
use futures::{Stream, StreamExt};

/// The collections of single resources as one.
pub(crate) async fn gathered<T>(reads: impl Stream<Item = Collected<T>>) -> Collected<T> {
    reads
        .fold(Collected::default(), |mut all, one| async {
            all.live.extend(one.live);
            all.errors.extend(one.errors);
            all
        })
        .await
}

/// A resource of which something could not be read that says whose it is.
pub(crate) fn incomplete<T>(live: Live<T>, error: Error) -> Collected<T> {
    Collected { live: vec![live], ..Collected::failed(error) }
}
