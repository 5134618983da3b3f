//! Kinds whose tags cost a call each.

use engine::{Collected, Error, Live, Result, Scope, Tags};
use futures::StreamExt;

/// How many resources of one kind are asked for their tags at a time.
const CONCURRENT: usize = 8;

/// Reads the tags of those resources that may be ours by their name, which is their id. A resource
/// whose tags cannot be read may be ours or not: that is an error of the whole listing.
pub(crate) async fn with_tags<T, F>(
    scope: &Scope,
    found: Vec<Live<T>>,
    read: impl Fn(String) -> F,
) -> Collected<T>
where
    F: Future<Output = Result<Tags>>,
{
    let mut collected = Collected::default();
    let mut reads = futures::stream::iter(found)
        .map(|live| {
            let arn = live.arn.clone().filter(|_| scope.may_be_ours(&live.id));
            let reading = arn.map(&read);
            async move {
                match reading {
                    Some(reading) => (live, Some(reading.await)),
                    None => (live, None),
                }
            }
        })
        .buffer_unordered(CONCURRENT);
    while let Some((mut live, tags)) = reads.next().await {
        match tags {
            Some(Ok(tags)) => live.tags = tags,
            // Removed since it was listed.
            Some(Err(Error::Api(error))) if error.is_not_found() => continue,
            Some(Err(error)) => collected.errors.extend(Collected::<T>::failed(error).errors),
            None => {}
        }
        collected.live.push(live);
    }
    collected
}
