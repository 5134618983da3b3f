//! How much time has gone by, and what time it is for AWS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::time::Instant;

use super::later;

/// A point in time from which to measure. Linux's monotonic clock stands still while a machine sleeps, so the
/// wall clock is asked as well: of two answers, the longer one is safe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    instant: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.instant.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }

    /// Returns when that much time has gone by.
    pub(super) async fn reaches(&self, age: Duration) {
        while let Some(left) = age.checked_sub(self.elapsed()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    }
}

/// AWS's clock, as the `Date` of its answers tells it; this machine's where none came.
#[derive(Debug, Clone, Default)]
pub(super) struct AwsClock(Arc<Mutex<Option<(Timestamp, Moment)>>>);

impl AwsClock {
    pub(super) fn now(&self) -> Timestamp {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((date, at)) => later(*date, at.elapsed()),
            None => Timestamp::now(),
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for AwsClock {
    fn name(&self) -> &'static str {
        "AWS's clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
        if let Some(date) = date {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((date, Moment::now()));
        }
        Ok(())
    }
}
