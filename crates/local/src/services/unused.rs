//! Services that an audit asks and that the account does not use: nothing is ever made in them, so their
//! lists are empty, and those that have to be switched on say that they are not.

use winterbaume_core::{MockResponse, extract_path};

use super::Service;
use crate::call::Call;
use crate::fault::{Fault, Protocol};

/// What an operation answers.
enum Answer {
    /// This document.
    Empty(&'static str),
    /// An error: its code, message and status.
    Refusal(&'static str, &'static str, u16),
}

use Answer::{Empty, Refusal};

/// What an account that is in no organisation hears from Organizations.
const NO_ORGANIZATION: Answer = Refusal(
    "AWSOrganizationsNotInUseException",
    "Your account is not a member of an organization.",
    400,
);

/// What Macie says to everything until it is enabled.
const NO_MACIE: Answer = Refusal("AccessDeniedException", "Macie is not enabled", 403);

/// An operation, by its name in `X-Amz-Target` or by method and path, and its answer.
type Operation = (&'static str, Answer);

const DYNAMODB: &[Operation] = &[("ListTables", Empty(r#"{"TableNames":[]}"#))];

const OPENSEARCH: &[Operation] = &[("GET /2021-01-01/domain", Empty(r#"{"DomainNames":[]}"#))];

const CLOUDFRONT: &[Operation] = &[(
    "GET /2020-05-31/distribution",
    Empty(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <DistributionList xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
         <Marker></Marker><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated>\
         <Quantity>0</Quantity></DistributionList>",
    ),
)];

const CONFIG: &[Operation] = &[
    ("DescribeConfigurationRecorders", Empty(r#"{"ConfigurationRecorders":[]}"#)),
    ("DescribeConfigurationRecorderStatus", Empty(r#"{"ConfigurationRecordersStatus":[]}"#)),
    ("DescribeDeliveryChannels", Empty(r#"{"DeliveryChannels":[]}"#)),
    ("DescribeDeliveryChannelStatus", Empty(r#"{"DeliveryChannelsStatus":[]}"#)),
];

const COGNITO: &[Operation] = &[("ListUserPools", Empty(r#"{"UserPools":[]}"#))];

const ORGANIZATIONS: &[Operation] = &[
    ("DescribeOrganization", NO_ORGANIZATION),
    ("ListParents", NO_ORGANIZATION),
    ("ListPoliciesForTarget", NO_ORGANIZATION),
    ("DescribePolicy", NO_ORGANIZATION),
];

const IDENTITY_CENTER: &[Operation] = &[("ListInstances", Empty(r#"{"Instances":[]}"#))];

const RAM: &[Operation] = &[
    ("POST /getresourceshares", Empty(r#"{"resourceShares":[]}"#)),
    ("POST /getresourceshareassociations", Empty(r#"{"resourceShareAssociations":[]}"#)),
];

const LAKE_FORMATION: &[Operation] = &[
    ("POST /ListPermissions", Empty(r#"{"PrincipalResourcePermissions":[]}"#)),
    ("POST /GetDataLakeSettings", Empty(r#"{"DataLakeSettings":{"DataLakeAdmins":[]}}"#)),
];

const MACIE: &[Operation] = &[("GET /macie", NO_MACIE), ("POST /datasources/s3", NO_MACIE)];

const SAGEMAKER: &[Operation] = &[
    ("ListTrainingJobs", Empty(r#"{"TrainingJobSummaries":[]}"#)),
    ("ListProcessingJobs", Empty(r#"{"ProcessingJobSummaries":[]}"#)),
    ("ListTransformJobs", Empty(r#"{"TransformJobSummaries":[]}"#)),
    ("ListAutoMLJobs", Empty(r#"{"AutoMLJobSummaries":[]}"#)),
    ("ListModels", Empty(r#"{"Models":[]}"#)),
    ("ListFeatureGroups", Empty(r#"{"FeatureGroupSummaries":[]}"#)),
];

const BEDROCK: &[Operation] = &[
    ("GET /model-customization-jobs", Empty(r#"{"modelCustomizationJobSummaries":[]}"#)),
    ("GET /model-invocation-jobs", Empty(r#"{"invocationJobSummaries":[]}"#)),
];

/// A service without state.
macro_rules! service {
    ($name:literal, $protocol:ident, $operations:ident) => {
        Service {
            name: $name,
            protocol: Protocol::$protocol,
            handle: |call| answer($name, Protocol::$protocol, $operations, call),
        }
    };
}

/// The services, by the names in the signatures of their requests.
pub(super) const ALL: &[Service] = &[
    service!("dynamodb", Json, DYNAMODB),
    service!("es", RestJson, OPENSEARCH),
    service!("cloudfront", RestXml, CLOUDFRONT),
    service!("config", Json, CONFIG),
    service!("cognito-idp", Json, COGNITO),
    service!("organizations", Json, ORGANIZATIONS),
    service!("sso", Json, IDENTITY_CENTER),
    service!("ram", RestJson, RAM),
    service!("lakeformation", RestJson, LAKE_FORMATION),
    service!("macie2", RestJson, MACIE),
    service!("sagemaker", Json, SAGEMAKER),
    service!("bedrock", RestJson, BEDROCK),
];

fn answer(
    service: &str,
    protocol: Protocol,
    operations: &[Operation],
    call: &Call<'_>,
) -> Result<MockResponse, Fault> {
    let asked = match protocol {
        Protocol::Json => call.target().to_owned(),
        _ => {
            let path = extract_path(&call.request.uri);
            format!("{} {}", call.request.method, path.trim_end_matches('/'))
        }
    };
    match operations.iter().find(|(operation, _)| *operation == asked) {
        Some((_, Empty(document))) => Ok(match protocol {
            Protocol::RestXml => MockResponse::xml(200, *document),
            Protocol::RestJson => MockResponse::rest_json(200, *document),
            _ => MockResponse::json(200, *document),
        }),
        Some((_, Refusal(code, message, status))) => {
            Err(Fault::new(code, *message).status(*status))
        }
        None => Err(Fault::unknown_operation(service, &asked)),
    }
}
