//! A connection to an account: which one, over which endpoint, and every call that was made.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::ErrorKind;
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::error::{ApiError, Error, Result};

/// How long AWS may take to show everywhere what was made or removed.
pub const CONSISTENCY_WINDOW: Duration = Duration::from_secs(60);

/// Where the calls go.
#[derive(Debug, Clone)]
pub enum Target {
    /// A control plane inside this process.
    Embedded(SharedHttpClient),
    /// A server that speaks the AWS APIs: moto, LocalStack.
    Endpoint(String),
    /// A simulation of AWS inside this process: called, retried and waited for as AWS itself, by tokio's
    /// clock, which a simulation pauses. Nothing is left out because the server may lack it.
    Simulated(SharedHttpClient),
    /// AWS itself, with the standard credential chain.
    Aws,
}

impl Target {
    /// The target for a test: the endpoint in `FERPA_TEST_ENDPOINT` where that is set, so that a test can
    /// be held against a server that this project did not write; else the embedded one.
    pub fn for_tests(embedded: SharedHttpClient) -> Self {
        match std::env::var("FERPA_TEST_ENDPOINT") {
            Ok(url) if !url.is_empty() => Self::Endpoint(url),
            _ => Self::Embedded(embedded),
        }
    }
}

/// A connection to one account and region. Cheap to clone.
#[derive(Clone)]
pub struct Aws {
    inner: Arc<Inner>,
    /// What was listed in the course of a collection.
    listings: Option<Arc<Listings>>,
}

/// The answers of listings, by action and type.
type Listings = Mutex<HashMap<(&'static str, TypeId), Arc<OnceCell<Box<dyn Any + Send + Sync>>>>>;

struct Inner {
    sdk: SdkConfig,
    target: Target,
    account_id: String,
    caller_arn: String,
    region: String,
    clients: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    /// What was generated for a creation, by the secret and the creation's token.
    credentials: Arc<Mutex<HashMap<(String, String), SecretString>>>,
    interceptors: Vec<SharedInterceptor>,
    calls: Arc<CallLog>,
    /// No other connection of this process has it.
    number: u64,
}

/// How many connections there were.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("account_id", &self.inner.account_id)
            .field("region", &self.inner.region)
            .finish_non_exhaustive()
    }
}

impl Aws {
    /// Connects, and asks who we are.
    ///
    /// The embedded target and endpoints get placeholder credentials where the environment has none;
    /// `region` of `None` means the one that the environment or the profile sets.
    ///
    /// # Errors
    /// When there is no region, no credentials, or the account cannot be asked for.
    pub async fn connect(target: Target, region: Option<&str>) -> Result<Self> {
        let retries = RetryConfig::adaptive();
        let retries = match target {
            Target::Aws => retries.with_max_attempts(10),
            // Without jitter, so that a run can be replayed.
            Target::Simulated(_) => {
                retries.with_max_attempts(10).with_use_static_exponential_base(true)
            }
            // Imitations throttle nobody, and what they cannot answer they cannot answer later either.
            Target::Embedded(_) | Target::Endpoint(_) => {
                retries.with_max_attempts(3).with_initial_backoff(Duration::from_millis(50))
            }
        };
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // Throttling slows the whole client down instead of failing single calls.
            .retry_config(retries)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(60))
                    .build(),
            );
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        loader = match &target {
            Target::Embedded(client) => {
                loader.http_client(client.clone()).credentials_provider(placeholder_credentials())
            }
            Target::Simulated(client) => loader
                .http_client(client.clone())
                .credentials_provider(placeholder_credentials())
                .time_source(TokioTime::start()),
            Target::Endpoint(url) => {
                let loader = loader.endpoint_url(url);
                match std::env::var_os("AWS_ACCESS_KEY_ID") {
                    Some(_) => loader,
                    None => loader.credentials_provider(placeholder_credentials()),
                }
            }
            Target::Aws => loader,
        };
        let sdk = loader.load().await;
        let Some(region) = sdk.region().map(ToString::to_string) else {
            return Err(Error::invalid("region", "none is set; pass --region or set AWS_REGION"));
        };
        let provider = sdk.credentials_provider();
        let credentials = match &provider {
            Some(provider) => provider.provide_credentials().await.map_err(|why| why.to_string()),
            None => Err("no provider is configured".to_owned()),
        };
        if let Err(why) = credentials {
            return Err(Error::invalid("AWS credentials", why));
        }
        let calls = Arc::new(CallLog::default());
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&sdk)
                .interceptor(SharedInterceptor::new(Recorder(calls.clone())))
                .build(),
        );
        let who = sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| ApiError::from_sdk("sts:GetCallerIdentity", error))?;
        let account_id =
            who.account.ok_or_else(|| Error::incomplete("sts:GetCallerIdentity", "an account"))?;
        let caller_arn = who.arn.unwrap_or_default();
        Ok(Self {
            inner: Arc::new(Inner {
                sdk,
                target,
                account_id,
                caller_arn,
                region,
                clients: Mutex::default(),
                credentials: Arc::default(),
                interceptors: vec![SharedInterceptor::new(Recorder(calls.clone()))],
                calls,
                number: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            }),
            listings: None,
        })
    }

    /// The same connection for one collection, in the course of which listings that several kinds need
    /// are [asked for once](Self::once).
    #[must_use]
    pub fn for_collection(&self) -> Self {
        Self { inner: self.inner.clone(), listings: Some(Arc::default()) }
    }

    /// The answer of a listing that several kinds need. Within one collection it is asked for once,
    /// whoever needs it first; outside of one, each time.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn once<T: Clone + Send + Sync + 'static>(
        &self,
        action: &'static str,
        listing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(listings) = &self.listings else { return listing.await };
        let cell = {
            let mut listings = listings.lock().unwrap_or_else(PoisonError::into_inner);
            listings.entry((action, TypeId::of::<T>())).or_default().clone()
        };
        let answer = cell
            .get_or_init(|| async { Box::new(listing.await) as Box<dyn Any + Send + Sync> })
            .await;
        answer.downcast_ref::<Result<T>>().expect("the map is keyed by the answer's type").clone()
    }

    /// The same connection, with this in the way of every call: a tracer, or the mocked answers of a
    /// test.
    #[must_use]
    pub fn with_interceptor(&self, interceptor: impl Intercept + 'static) -> Self {
        let inner = &self.inner;
        let mut interceptors = inner.interceptors.clone();
        interceptors.push(SharedInterceptor::new(interceptor));
        Self {
            inner: Arc::new(Inner {
                sdk: inner.sdk.clone(),
                target: inner.target.clone(),
                account_id: inner.account_id.clone(),
                caller_arn: inner.caller_arn.clone(),
                region: inner.region.clone(),
                clients: Mutex::default(),
                credentials: inner.credentials.clone(),
                interceptors,
                calls: inner.calls.clone(),
                number: inner.number,
            }),
            listings: self.listings.clone(),
        }
    }

    /// The account's twelve digits.
    pub fn account_id(&self) -> &str {
        &self.inner.account_id
    }

    /// Who we are to AWS.
    pub fn caller_arn(&self) -> &str {
        &self.inner.caller_arn
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// The partition of the region: `aws`, `aws-us-gov` or `aws-cn`.
    pub fn partition(&self) -> &'static str {
        partition(&self.inner.region)
    }

    /// Where the calls go.
    pub fn target(&self) -> &Target {
        &self.inner.target
    }

    /// An ARN in this account and region: `arn("kinesis", "stream/x")`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (region, account) = (self.region(), self.account_id());
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition())
    }

    /// The client of a service, made once. Use the [`client!`](crate::client) macro.
    pub fn client_of<C: Clone + Send + Sync + 'static>(
        &self,
        make: impl FnOnce(&SdkConfig, &[SharedInterceptor]) -> C,
    ) -> C {
        let mut clients = self.inner.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = clients
            .entry(TypeId::of::<C>())
            .or_insert_with(|| Box::new(make(&self.inner.sdk, &self.inner.interceptors)));
        entry.downcast_ref::<C>().expect("the map is keyed by the client's type").clone()
    }

    /// The value that this process has put into a secret for a creation, if it has: the same creation, tried again,
    /// goes on with it.
    pub fn credential_of(&self, secret: &str, creation: &str) -> Option<SecretString> {
        let kept = self.inner.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(secret.to_owned(), creation.to_owned())).cloned()
    }

    /// Keeps the value that was put into a secret for a creation, in memory only.
    pub fn keep_credential(&self, secret: &str, creation: &str, value: SecretString) {
        let mut kept = self.inner.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((secret.to_owned(), creation.to_owned()), value);
    }

    /// What the clients of one service share when AWS throttles them. The SDK would share it among all
    /// clients of the process, whatever they are connected to.
    pub fn retry_partition(&self, service: &str) -> String {
        format!("{service} {}", self.inner.number)
    }

    /// Awaits an SDK call and names it in the error. `action` is the IAM action, `ec2:CreateVpc`.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn call<T, E>(
        &self,
        action: &str,
        call: impl Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let result = call.await;
        match &result {
            Ok(_) => tracing::trace!(action, "ok"),
            Err(_) => tracing::debug!(action, "failed"),
        }
        result.map_err(|error| Error::Api(ApiError::from_sdk(action, error)))
    }

    /// As [`call`](Self::call), where "not found" is an answer and not an error.
    ///
    /// # Errors
    /// What AWS answered, other than "not found".
    pub async fn find<T, E>(
        &self,
        action: &str,
        call: impl Future<Output = std::result::Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match self.call(action, call).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::Api(error)) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How often each operation was called (retries included), by `Service.Operation`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.inner.calls.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The partition that a region lies in.
pub fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("us-gov-") => "aws-us-gov",
        r if r.starts_with("cn-") => "aws-cn",
        _ => "aws",
    }
}

/// The client of an AWS service for a connection: `client!(aws, aws_sdk_ec2)`. Made once per
/// connection; its calls are counted.
#[macro_export]
macro_rules! client {
    ($aws:expr, $sdk:ident) => {
        $aws.client_of(|config, interceptors| {
            let name = $aws.retry_partition(stringify!($sdk));
            let partition = $sdk::config::retry::RetryPartition::new(name);
            let builder = $sdk::config::Builder::from(config).retry_partition(partition);
            let builder =
                interceptors.iter().cloned().fold(builder, |all, one| all.interceptor(one));
            let builder = builder.retry_classifier($crate::aws::AskBeforeCreatingAgain);
            $sdk::Client::from_conf(builder.build())
        })
    };
}

fn placeholder_credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "placeholder"))
}

tokio::task_local! {
    /// Set while a resource is being created.
    static CREATING: ();
}

/// Runs a creation: see [`AskBeforeCreatingAgain`].
pub(crate) async fn creating<T>(create: impl Future<Output = T>) -> T {
    CREATING.scope((), create).await
}

/// Keeps the SDK from sending a create call again after an answer that did not come, or that says that
/// something broke: the first one may have taken effect, and not every API takes a client token. The engine
/// looks for the resource first. Throttled calls had no effect, and are sent again.
#[derive(Debug, Clone, Copy)]
pub struct AskBeforeCreatingAgain;

impl ClassifyRetry for AskBeforeCreatingAgain {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        let unsure = matches!(
            previous,
            RetryAction::RetryIndicated(RetryReason::RetryableError { kind, .. })
                if *kind != ErrorKind::ThrottlingError
        );
        match unsure && CREATING.try_with(|()| ()).is_ok() {
            true => RetryAction::RetryForbidden,
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "ask before creating again"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// The SDK's clock, where it has to go with tokio's: its rate limiter measures time by one and sleeps by the
/// other.
#[derive(Debug)]
struct TokioTime {
    wall: SystemTime,
    start: tokio::time::Instant,
}

impl TokioTime {
    fn start() -> Self {
        Self { wall: SystemTime::now(), start: tokio::time::Instant::now() }
    }
}

impl TimeSource for TokioTime {
    fn now(&self) -> SystemTime {
        self.wall + self.start.elapsed()
    }
}

#[derive(Debug, Default)]
struct CallLog {
    counts: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug)]
struct Recorder(Arc<CallLog>);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "ferpa-stack call log"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        if let Some(operation) = config.load::<Metadata>() {
            let name = format!("{}.{}", operation.service(), operation.name());
            let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(name).or_default() += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_the_region() {
        assert_eq!(partition("us-east-1"), "aws");
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition("cn-north-1"), "aws-cn");
    }
}
