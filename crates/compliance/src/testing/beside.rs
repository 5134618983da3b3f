//! A table, a search domain and a distribution, as their services describe them.

use aws_sdk_cloudfront::operation::get_distribution_config::GetDistributionConfigOutput;
use aws_sdk_cloudfront::operation::list_distributions::ListDistributionsOutput;
use aws_sdk_cloudfront::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_cloudfront::types::{
    Aliases, CacheBehaviors, CustomErrorResponses, CustomOriginConfig, DefaultCacheBehavior,
    DistributionList, DistributionSummary, GeoRestriction, GeoRestrictionType, HttpVersion,
    MinimumProtocolVersion, Origin, OriginProtocolPolicy, OriginSslProtocols, Origins, PriceClass,
    Restrictions, Tags, ViewerCertificate, ViewerProtocolPolicy,
};
use aws_sdk_dynamodb::operation::describe_continuous_backups::DescribeContinuousBackupsOutput;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableOutput;
use aws_sdk_dynamodb::operation::list_tables::ListTablesOutput;
use aws_sdk_dynamodb::operation::list_tags_of_resource::ListTagsOfResourceOutput;
use aws_sdk_dynamodb::types::{SseDescription, SseStatus, SseType, TableDescription, Tag};
use aws_sdk_opensearch::operation::describe_domains::DescribeDomainsOutput;
use aws_sdk_opensearch::operation::list_domain_names::ListDomainNamesOutput;
use aws_sdk_opensearch::operation::list_tags::ListTagsOutput;
use aws_sdk_opensearch::types::builders::DomainStatusBuilder;
use aws_sdk_opensearch::types::{ClusterConfig, DomainInfo, DomainStatus};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::DateTime;

/// One DynamoDB table, encrypted with this key of KMS.
pub(crate) fn table(
    key: Option<&'static str>,
    tags: &'static [(&'static str, &'static str)],
) -> Vec<Rule> {
    vec![
        mock!(aws_sdk_dynamodb::Client::list_tables)
            .then_output(|| ListTablesOutput::builder().table_names("grades").build()),
        mock!(aws_sdk_dynamodb::Client::describe_table).then_output(move || {
            let sse = key.map(|key| {
                let sse = SseDescription::builder().status(SseStatus::Enabled);
                sse.sse_type(SseType::Kms).kms_master_key_arn(key).build()
            });
            let table = TableDescription::builder()
                .table_name("grades")
                .table_arn("arn:aws:dynamodb:us-east-1:123456789012:table/grades")
                .set_sse_description(sse);
            DescribeTableOutput::builder().table(table.build()).build()
        }),
        mock!(aws_sdk_dynamodb::Client::describe_continuous_backups)
            .then_output(|| DescribeContinuousBackupsOutput::builder().build()),
        mock!(aws_sdk_dynamodb::Client::list_tags_of_resource).then_output(move || {
            let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
            let tags = tags.iter().map(|pair| tag(pair).unwrap()).collect();
            ListTagsOfResourceOutput::builder().set_tags(Some(tags)).build()
        }),
    ]
}

/// One OpenSearch domain.
pub(crate) fn domain(change: fn(DomainStatusBuilder) -> DomainStatusBuilder) -> Vec<Rule> {
    vec![
        mock!(aws_sdk_opensearch::Client::list_domain_names).then_output(|| {
            let one = DomainInfo::builder().domain_name("search").build();
            ListDomainNamesOutput::builder().domain_names(one).build()
        }),
        mock!(aws_sdk_opensearch::Client::describe_domains).then_output(move || {
            let one = DomainStatus::builder()
                .domain_id("123456789012/search")
                .domain_name("search")
                .arn("arn:aws:es:us-east-1:123456789012:domain/search")
                .cluster_config(ClusterConfig::builder().build());
            let one = change(one).build().unwrap();
            DescribeDomainsOutput::builder().domain_status_list(one).build().unwrap()
        }),
        mock!(aws_sdk_opensearch::Client::list_tags)
            .then_output(|| ListTagsOutput::builder().build()),
    ]
}

/// One distribution: what viewers may speak, the least TLS, what the origin is spoken to, with which versions of TLS.
pub(crate) fn distribution(
    viewer: &'static str,
    tls: &'static str,
    origin: &'static str,
    versions: &'static [&'static str],
) -> Vec<Rule> {
    let described = move || {
        let versions = OriginSslProtocols::builder()
            .quantity(versions.len().try_into().unwrap())
            .set_items(Some(versions.iter().map(|version| (*version).into()).collect()));
        let custom = CustomOriginConfig::builder()
            .origin_ssl_protocols(versions.build().unwrap())
            .http_port(80)
            .https_port(443)
            .origin_protocol_policy(OriginProtocolPolicy::from(origin))
            .build();
        let one = Origin::builder().id("alb").domain_name("alb.example.edu");
        let one = one.custom_origin_config(custom.unwrap()).build().unwrap();
        let behavior = DefaultCacheBehavior::builder()
            .target_origin_id("alb")
            .viewer_protocol_policy(ViewerProtocolPolicy::from(viewer));
        let nowhere = GeoRestriction::builder()
            .restriction_type(GeoRestrictionType::None)
            .quantity(0)
            .build();
        let certificate = ViewerCertificate::builder()
            .minimum_protocol_version(MinimumProtocolVersion::from(tls));
        DistributionSummary::builder()
            .id("E1")
            .arn("arn:aws:cloudfront::123456789012:distribution/E1")
            .status("Deployed")
            .last_modified_time(DateTime::from_secs(0))
            .domain_name("d1.cloudfront.net")
            .aliases(Aliases::builder().quantity(0).build().unwrap())
            .origins(Origins::builder().quantity(1).items(one).build().unwrap())
            .default_cache_behavior(behavior.build().unwrap())
            .cache_behaviors(CacheBehaviors::builder().quantity(0).build().unwrap())
            .custom_error_responses(CustomErrorResponses::builder().quantity(0).build().unwrap())
            .comment("")
            .price_class(PriceClass::PriceClassAll)
            .enabled(true)
            .viewer_certificate(certificate.build())
            .restrictions(Restrictions::builder().geo_restriction(nowhere.unwrap()).build())
            .web_acl_id("")
            .http_version(HttpVersion::Http2)
            .is_ipv6_enabled(true)
            .staging(false)
            .build()
            .unwrap()
    };
    vec![
        mock!(aws_sdk_cloudfront::Client::list_distributions).then_output(move || {
            let list = DistributionList::builder()
                .marker("")
                .max_items(100)
                .is_truncated(false)
                .quantity(1)
                .items(described());
            let list = list.build().unwrap();
            ListDistributionsOutput::builder().distribution_list(list).build()
        }),
        mock!(aws_sdk_cloudfront::Client::get_distribution_config)
            .then_output(|| GetDistributionConfigOutput::builder().build()),
        mock!(aws_sdk_cloudfront::Client::list_tags_for_resource).then_output(|| {
            ListTagsForResourceOutput::builder().tags(Tags::builder().build()).build()
        }),
    ]
}
