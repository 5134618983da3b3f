//! How fast AWS lets a client call: the request rates of each service, and a way to the plane that keeps them.
//!
//! AWS throttles by token buckets: a call takes a token, a bucket holds so many and gets so many back each second, and
//! a call that finds none is answered with the service's throttling error. Where AWS documents no rate (IAM, RDS,
//! ElastiCache, EFS, Backup, GuardDuty, S3's own operations on buckets…) a cautious estimate stands in.
//!
//! Time is tokio's: a test that pauses its clock waits for nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::Instant;
use winterbaume_core::auth::extract_service_from_headers;

use crate::fault::{Fault, Protocol};
use crate::plane::to_http;
use crate::services;

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many calls it takes at once.
    pub burst: f64,
    /// How many tokens come back each second.
    pub per_second: f64,
}

const fn rate(burst: f64, per_second: f64) -> Rate {
    Rate { burst, per_second }
}

/// So many a second, and no more at once than that.
const fn each_second(calls: f64) -> Rate {
    rate(calls, calls)
}

/// One call in so many seconds.
const fn one_in(seconds: f64) -> Rate {
    rate(1.0, 1.0 / seconds)
}

/// Which calls share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shared {
    /// Every operation has a bucket of its own.
    No,
    /// All operations of the row share one.
    Yes,
}
use Shared::{No, Yes};

/// The rate of some operations of a service. A name that ends in `*` stands for all that begin so; operations of
/// REST APIs are written `POST /restapis/*/deployments`, where `*` is one part of the path.
type Row = (&'static [&'static str], Shared, Rate);

/// What a service takes. A call needs a token of the first row that names it, and one of `all` where there is a rate
/// for all calls together.
struct Limits {
    service: &'static str,
    all: Option<Rate>,
    rows: &'static [Row],
}

/// Where AWS documents nothing: an estimate, of the order of what it documents for other control planes.
const UNDOCUMENTED: Rate = rate(20.0, 10.0);

/// The rates. A service that is not listed has [`UNDOCUMENTED`] for each of its operations.
const DOCUMENTED: &[Limits] = &[
    // Amazon EC2 Developer Guide, "Request throttling for the Amazon EC2 API": a bucket for each operation, its size by
    // category; some have sizes of their own. The listings of a collection are neither filtered nor paged by everyone, so
    // all of them count as such.
    Limits {
        service: "ec2",
        all: None,
        rows: &[
            (&["CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"], No, rate(4.0, 0.3)),
            (&["CreateNatGateway", "DeleteNatGateway"], No, rate(10.0, 1.0)),
            (&["CreateTags", "DeleteTags"], No, rate(100.0, 10.0)),
            (&["Describe*", "Get*", "List*"], No, rate(50.0, 10.0)),
            (&["*"], No, rate(50.0, 5.0)),
        ],
    },
    // Amazon API Gateway Developer Guide, "Amazon API Gateway quotas": for creating, deploying and managing an API.
    Limits {
        service: "apigateway",
        all: Some(rate(40.0, 10.0)),
        rows: &[
            (&["POST /restapis"], No, one_in(3.0)),
            (&["DELETE /restapis/*"], No, one_in(30.0)),
            (&["PUT /restapis/*"], No, each_second(1.0)),
            (&["POST /restapis/*/deployments"], No, one_in(5.0)),
            (&["POST /restapis/*/resources/*"], No, each_second(5.0)),
            (&["DELETE /restapis/*/resources/*"], No, each_second(5.0)),
            (&["GET /restapis/*/resources"], No, rate(5.0, 2.5)),
            (&["PATCH /account"], No, one_in(20.0)),
            (&["POST /v2/vpclinks"], No, one_in(15.0)),
            (&["DELETE /v2/vpclinks/*"], No, one_in(30.0)),
            (&["*"], Yes, rate(40.0, 10.0)),
        ],
    },
    // Elastic Load Balancing User Guide, "Request throttling for the Elastic Load Balancing API".
    Limits {
        service: "elasticloadbalancing",
        all: Some(rate(40.0, 10.0)),
        rows: &[
            (&["CreateLoadBalancer", "SetSubnets"], Yes, rate(10.0, 0.2)),
            (&["RegisterTargets", "DeregisterTargets"], Yes, rate(20.0, 4.0)),
            (&["Describe*"], Yes, rate(40.0, 10.0)),
            (&["*"], Yes, rate(20.0, 3.0)),
        ],
    },
    // Amazon ECS Developer Guide, "Request throttling for the Amazon ECS API".
    Limits {
        service: "ecs",
        all: None,
        rows: &[
            (&["DescribeClusters", "ListClusters"], Yes, rate(50.0, 20.0)),
            (
                &[
                    "CreateCluster",
                    "DeleteCluster",
                    "UpdateCluster*",
                    "PutClusterCapacityProviders",
                ],
                Yes,
                rate(20.0, 1.0),
            ),
            (&["DescribeTaskDefinition", "ListTaskDefinition*"], Yes, rate(50.0, 20.0)),
            (&["RegisterTaskDefinition", "DeregisterTaskDefinition"], Yes, rate(20.0, 1.0)),
            (&["DeleteTaskDefinitions"], Yes, rate(5.0, 1.0)),
            (&["DescribeServices", "ListServices"], Yes, rate(100.0, 20.0)),
            (&["CreateService", "DeleteService", "UpdateService"], Yes, rate(50.0, 5.0)),
            (&["DescribeTasks", "ListTasks"], Yes, rate(100.0, 20.0)),
            (&["TagResource", "UntagResource"], Yes, rate(20.0, 10.0)),
            (&["ListTagsForResource"], Yes, rate(50.0, 20.0)),
            (&["*"], No, rate(10.0, 1.0)),
        ],
    },
    // AWS KMS Developer Guide, "Request quotas".
    Limits {
        service: "kms",
        all: None,
        rows: &[
            (&["DescribeKey", "ListResourceTags"], No, each_second(2000.0)),
            (&["GetKeyPolicy", "GetKeyRotationStatus"], No, each_second(1000.0)),
            (&["ListKeys", "ListAliases"], No, each_second(500.0)),
            (&["ListGrants", "ListKeyPolicies", "ListKeyRotations"], No, each_second(100.0)),
            (
                &["PutKeyPolicy", "ScheduleKeyDeletion", "DeleteAlias", "EnableKeyRotation"],
                No,
                each_second(15.0),
            ),
            (&["TagResource"], No, each_second(10.0)),
            (&["*"], No, each_second(5.0)),
        ],
    },
    // AWS Secrets Manager User Guide, "AWS Secrets Manager quotas".
    Limits {
        service: "secretsmanager",
        all: None,
        rows: &[
            (&["DescribeSecret", "GetSecretValue"], Yes, each_second(5000.0)),
            (&["*"], No, each_second(50.0)),
        ],
    },
    // Amazon CloudWatch Logs User Guide, "CloudWatch Logs quotas".
    Limits {
        service: "logs",
        all: None,
        rows: &[
            (&["CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups"], No, each_second(10.0)),
            (&["*"], No, each_second(5.0)),
        ],
    },
    // Amazon CloudWatch User Guide, "CloudWatch service quotas". PutMetricAlarm is documented; the others are of its order.
    Limits {
        service: "monitoring",
        all: None,
        rows: &[
            (&["PutMetricAlarm", "DeleteAlarms"], No, each_second(3.0)),
            (&["DescribeAlarms"], No, each_second(9.0)),
            (&["*"], No, each_second(10.0)),
        ],
    },
    // Amazon SNS, "Amazon SNS endpoints and quotas" (AWS General Reference).
    Limits {
        service: "sns",
        all: None,
        rows: &[
            (&["TagResource", "UntagResource", "ListTagsForResource"], No, each_second(10.0)),
            (&["Subscribe", "Unsubscribe"], No, each_second(100.0)),
            (&["*"], No, each_second(30.0)),
        ],
    },
    // Amazon Kinesis Data Streams Developer Guide, "Quotas and limits": of the control plane.
    Limits {
        service: "kinesis",
        all: None,
        rows: &[
            (&["DescribeStreamSummary"], No, each_second(20.0)),
            (&["DescribeStream"], No, each_second(10.0)),
            (&["*"], No, each_second(5.0)),
        ],
    },
    // Amazon Data Firehose Developer Guide, "Quota".
    Limits { service: "firehose", all: None, rows: &[(&["*"], No, each_second(5.0))] },
    // AWS Lambda Developer Guide, "Lambda quotas": all of the control plane together, but for two calls.
    Limits {
        service: "lambda",
        all: None,
        rows: &[
            (&["GET /2015-03-31/functions/*"], No, each_second(100.0)),
            (&["GET /2015-03-31/functions/*/policy"], No, each_second(15.0)),
            (&["*"], Yes, each_second(15.0)),
        ],
    },
    // AWS WAF Developer Guide, "AWS WAF quotas".
    Limits {
        service: "wafv2",
        all: None,
        rows: &[
            (&["AssociateWebACL", "DisassociateWebACL"], No, one_in(2.0)),
            (&["GetWebACLForResource", "ListResourcesForWebACL"], No, each_second(1.0)),
            (&["Get*", "List*", "Describe*"], No, each_second(5.0)),
            (&["*"], No, each_second(1.0)),
        ],
    },
    // AWS CloudTrail User Guide, "Quotas in AWS CloudTrail".
    Limits {
        service: "cloudtrail",
        all: None,
        rows: &[
            (&["Get*", "List*", "Describe*"], No, each_second(10.0)),
            (&["*"], No, each_second(1.0)),
        ],
    },
    // AWS Certificate Manager User Guide, "Quotas": API rates.
    Limits {
        service: "acm",
        all: None,
        rows: &[
            (&["ImportCertificate"], No, each_second(1.0)),
            (&["ListCertificates"], No, each_second(8.0)),
            (
                &["DescribeCertificate", "GetCertificate", "DeleteCertificate", "ListTags*"],
                No,
                each_second(10.0),
            ),
            (&["*"], No, each_second(5.0)),
        ],
    },
];

/// The way from an SDK's client to whatever answers its calls, with the time that a call takes and the rates that the
/// services allow.
#[derive(Debug, Clone)]
pub struct Gate {
    inner: SharedHttpClient,
    call: Duration,
    buckets: Option<Arc<Mutex<Buckets>>>,
}

impl Gate {
    /// A way without delay and without limits.
    pub fn new(inner: SharedHttpClient) -> Self {
        Self { inner, call: Duration::ZERO, buckets: None }
    }

    /// Every call takes this long until its answer is there.
    #[must_use]
    pub fn with_call_time(mut self, call: Duration) -> Self {
        self.call = call;
        self
    }

    /// With the rates that AWS documents.
    #[must_use]
    pub fn with_rates(mut self) -> Self {
        self.buckets = Some(Arc::default());
        self
    }

    /// What an SDK client sends its requests through.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// How many calls were throttled, by service and operation.
    pub fn throttled(&self) -> BTreeMap<String, u64> {
        let Some(buckets) = &self.buckets else { return BTreeMap::new() };
        buckets.lock().unwrap_or_else(PoisonError::into_inner).throttled.clone()
    }
}

impl HttpClient for Gate {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Guarded { gate: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Guarded {
    gate: Gate,
    inner: SharedHttpConnector,
}

impl HttpConnector for Guarded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (gate, inner) = (self.gate.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            // Half of the time goes by before the service sees the request.
            tokio::time::sleep(gate.call / 2).await;
            let refused = gate.buckets.as_ref().and_then(|buckets| {
                let called = Called::of(&request)?;
                let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
                (!buckets.take(&called)).then(|| to_http(throttling(&called)))
            });
            let answer = match refused {
                Some(refused) => Ok(refused),
                None => inner.call(request).await,
            };
            tokio::time::sleep(gate.call / 2).await;
            answer
        })
    }
}

/// Which operation of which service a request calls.
struct Called {
    service: services::Service,
    operation: String,
}

impl Called {
    /// `None` for a service that the plane does not have.
    fn of(request: &HttpRequest) -> Option<Self> {
        let mut headers = http::HeaderMap::new();
        if let Some(signed) = request.headers().get("authorization")
            && let Ok(signed) = signed.parse()
        {
            headers.insert(http::header::AUTHORIZATION, signed);
        }
        let service = *services::find(&extract_service_from_headers(&headers)?)?;
        let uri = request.uri().parse::<http::Uri>().ok()?;
        let path = uri.path().trim_end_matches('/');
        let operation = match service.protocol {
            Protocol::Json => {
                let target = request.headers().get("x-amz-target")?;
                target.rsplit('.').next()?.to_owned()
            }
            Protocol::Query | Protocol::Ec2 => {
                let body = String::from_utf8_lossy(request.body().bytes()?).into_owned();
                let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="))?;
                action.to_owned()
            }
            Protocol::Cbor => path.rsplit('/').next()?.to_owned(),
            Protocol::RestJson => format!("{} {path}", request.method()),
            // The path is the bucket (or is in the host); what is called is in the query.
            Protocol::RestXml => {
                let what = uri.query().unwrap_or_default().split(['=', '&']).next();
                format!("{} ?{}", request.method(), what.unwrap_or_default())
            }
        };
        Some(Self { service, operation })
    }

    /// The operation without the names of what it is called for: paths by their length and beginning.
    fn bucket(&self) -> String {
        let service = self.service.name;
        match self.operation.split_once(" /") {
            Some((method, path)) => {
                let parts: Vec<&str> = path.split('/').collect();
                let known = parts.iter().take(2).copied().collect::<Vec<_>>().join("/");
                format!("{service} {method} /{known} {}", parts.len())
            }
            None => format!("{service} {}", self.operation),
        }
    }

    /// Whether a row's pattern names the operation.
    fn is(&self, pattern: &str) -> bool {
        match pattern.split_once(' ') {
            Some(_) => {
                let (mut ours, mut theirs) = (self.operation.split('/'), pattern.split('/'));
                loop {
                    match (ours.next(), theirs.next()) {
                        (None, None) => return true,
                        (Some(one), Some(other)) if other == "*" || one == other => {}
                        _ => return false,
                    }
                }
            }
            None => match pattern.strip_suffix('*') {
                Some(beginning) => self.operation.starts_with(beginning),
                None => self.operation == pattern,
            },
        }
    }
}

#[derive(Debug, Default)]
struct Buckets {
    /// How many tokens are in each, and since when.
    tokens: BTreeMap<String, (f64, Instant)>,
    throttled: BTreeMap<String, u64>,
}

impl Buckets {
    /// Takes the tokens that a call needs, or none if one is missing.
    fn take(&mut self, called: &Called) -> bool {
        let needed = needed(called);
        let enough = needed.iter().all(|(name, rate)| self.level(name, *rate) >= 1.0);
        for (name, _) in &needed {
            if enough && let Some((tokens, _)) = self.tokens.get_mut(name) {
                *tokens -= 1.0;
            }
        }
        if !enough {
            *self.throttled.entry(called.bucket()).or_default() += 1;
        }
        enough
    }

    fn level(&mut self, name: &str, rate: Rate) -> f64 {
        let now = Instant::now();
        let bucket = self.tokens.entry(name.to_owned()).or_insert((rate.burst, now));
        let back = now.duration_since(bucket.1).as_secs_f64() * rate.per_second;
        *bucket = ((bucket.0 + back).min(rate.burst), now);
        bucket.0
    }
}

/// The buckets that a call takes a token of.
fn needed(called: &Called) -> Vec<(String, Rate)> {
    let service = called.service.name;
    let Some(limits) = DOCUMENTED.iter().find(|limits| limits.service == service) else {
        return vec![(called.bucket(), UNDOCUMENTED)];
    };
    let all = limits.all.map(|rate| (service.to_owned(), rate));
    let rows = limits.rows.iter().enumerate();
    let mut row = rows.filter_map(|(at, (operations, shared, rate))| {
        let pattern = operations.iter().find(|pattern| called.is(pattern))?;
        Some(match shared {
            Yes => (format!("{service} {at}"), *rate),
            No if pattern.contains(' ') => (format!("{service} {pattern}"), *rate),
            No => (called.bucket(), *rate),
        })
    });
    let own = row.next().unwrap_or_else(|| (called.bucket(), UNDOCUMENTED));
    all.into_iter().chain([own]).collect()
}

/// The answer of a service to a call too many.
fn throttling(called: &Called) -> winterbaume_core::MockResponse {
    let service = called.service;
    let fault = match (service.name, service.protocol) {
        ("elasticloadbalancing", _) => Fault::new("ThrottlingException", "Rate exceeded"),
        ("kinesis" | "firehose", _) => Fault::new("LimitExceededException", "Rate exceeded"),
        ("apigateway" | "lambda", _) => {
            Fault::new("TooManyRequestsException", "Too Many Requests").status(429)
        }
        (_, Protocol::Ec2) => {
            Fault::new("RequestLimitExceeded", "Request limit exceeded.").status(503)
        }
        (_, Protocol::Query) => Fault::new("Throttling", "Rate exceeded"),
        (_, Protocol::RestXml) => {
            Fault::new("SlowDown", "Please reduce your request rate.").status(503)
        }
        (_, Protocol::Json | Protocol::RestJson | Protocol::Cbor) => {
            Fault::new("ThrottlingException", "Rate exceeded")
        }
    };
    fault.response(service.protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(service: &str, operation: &str) -> Called {
        let service = *services::find(service).unwrap();
        Called { service, operation: operation.into() }
    }

    #[test]
    fn every_service_with_rates_is_one_of_the_plane() {
        for limits in DOCUMENTED {
            assert!(services::find(limits.service).is_some(), "{}", limits.service);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_holds_so_many_and_fills_again() {
        let mut buckets = Buckets::default();
        let create = called("ec2", "CreateVpcEndpoint");
        let granted = (0..6).filter(|_| buckets.take(&create)).count();
        assert_eq!(granted, 4, "the bucket holds four");
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(buckets.take(&create), "three tokens come back in ten seconds");
        assert!(!buckets.take(&create));
        assert_eq!(buckets.throttled["ec2 CreateVpcEndpoint"], 3);
    }

    #[tokio::test(start_paused = true)]
    async fn operations_share_a_bucket_where_aws_says_so() {
        let mut buckets = Buckets::default();
        let granted = |buckets: &mut Buckets, operation| {
            (0..50).filter(|_| buckets.take(&called("ecs", operation))).count()
        };
        assert_eq!(granted(&mut buckets, "CreateCluster"), 20);
        assert_eq!(granted(&mut buckets, "DeleteCluster"), 0, "of the same bucket");
        assert_eq!(granted(&mut buckets, "CreateService"), 50, "of another one");
    }

    #[test]
    fn operations_of_rest_apis_are_told_by_method_and_path() {
        let deployment = called("apigateway", "POST /restapis/abc/deployments");
        assert!(deployment.is("POST /restapis/*/deployments"));
        assert!(!deployment.is("POST /restapis"));
        assert!(!deployment.is("GET /restapis/*/deployments"));
        assert!(deployment.is("*"));
    }
}
