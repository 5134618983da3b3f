//! FERPA-TLS-05: APIs and what answers them use HTTPS.

use api::{DomainName, HttpApi, RestApi};

use serde_json::{Map, Value};

use crate::apis::listed;
use crate::control::{Control, Reach, Remedy, Severity};
use crate::facts::{Facts, Verdict};
use crate::finding::{Judgement, Unread};
use crate::tls::api_refuses_old;

/// The control.
pub const CONTROL: Control = Control {
    id: "FERPA-TLS-05",
    title: "APIs and their backends use HTTPS",
    statement: "Every API endpoint and custom domain name refuses TLS older than 1.2, and every request to a backend goes over HTTPS, within a VPC too.",
    severity: Severity::High,
    citations: &["34 CFR 99.31(a)(1)(ii)", "NIST SP 800-171r2 3.13.8"],
    why: "A request that is encrypted up to the gateway and plain behind it is read by whoever listens in the network.",
    reads: &[&[
        "apigateway.rest_api.security_policy",
        "apigateway.rest_api.routes",
        "apigateway.domain_name.security_policy",
        "apigatewayv2.api.integrations",
    ]],
    remedy: Remedy {
        stack: "`deploy`: the API's security policy is SecurityPolicy_TLS13_1_2_2021_06 and it calls the load balancer over HTTPS",
        api: "apigateway:UpdateRestApi with /securityPolicy, apigateway:PutIntegration with an https:// uri, apigatewayv2:UpdateIntegration with TlsConfig",
    },
    reach: Reach::Stack,
    judge,
};

const CALL: &str = "apigateway:GET";

fn judge(facts: &Facts<'_>) -> Vec<Judgement> {
    let apis = facts.each::<RestApi>(|api| {
        let spec = api.read(&["security_policy", "routes"])?;
        // Over a VPC link, too, the scheme decides whether TLS is used.
        let (mut plain, mut asked) = (Vec::new(), Map::new());
        for (path, methods) in &spec.routes {
            for (verb, method) in methods {
                let Some(integration) = &method.integration else { continue };
                let is_http = matches!(integration.kind.as_str(), "HTTP" | "HTTP_PROXY");
                if is_http {
                    asked.insert(format!("{verb} {path}"), integration.uri.as_str().into());
                }
                if is_http && !is_https(&integration.uri) {
                    plain.push(format!("{verb} {path} ({})", integration.uri));
                }
            }
        }
        let policy = spec.security_policy.as_deref();
        let verdict = if plain.is_empty() {
            endpoint(&api.live().id, policy)?
        } else {
            Verdict::fail(format!("it asks its backend without HTTPS: {}", listed(&plain)))
        };
        Ok(verdict.with(CALL, "securityPolicy", policy).with(CALL, "uri", asked))
    });
    let names = facts.each::<DomainName>(|name| {
        let policy = name.read(&["security_policy"])?.security_policy.as_deref();
        Ok(endpoint(&name.live().id, policy)?.with(CALL, "securityPolicy", policy))
    });
    // Their own endpoints speak nothing older than TLS 1.2.
    let http = facts.each::<HttpApi>(|api| {
        let spec = api.read(&["integrations"])?;
        let plain = spec.integrations.iter().filter(|(_, one)| {
            let is_http = matches!(one.kind.as_str(), "HTTP" | "HTTP_PROXY");
            let encrypted = match one.connection_type.as_str() {
                // The address is a listener's ARN: a name to verify is what switches TLS on.
                "VPC_LINK" => one.server_name.is_some() || is_https(&one.uri),
                _ => is_https(&one.uri),
            };
            is_http && !encrypted
        });
        let plain: Vec<String> = plain.map(|(id, one)| format!("{id} ({})", one.uri)).collect();
        let uris = spec.integrations.iter().map(|(id, one)| {
            let uri: Value = one.uri.as_str().into();
            (id.clone(), uri)
        });
        Ok(Verdict::of(
            plain.is_empty(),
            "its backends are asked over HTTPS",
            format!("integrations without HTTPS: {}", listed(&plain)),
        )
        .with(CALL, "IntegrationUri", uris.collect::<Map<_, _>>()))
    });
    apis.into_iter().chain(names).chain(http).collect()
}

fn is_https(uri: &str) -> bool {
    uri.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn endpoint(name: &str, policy: Option<&str>) -> Result<Verdict, Unread> {
    let Some(policy) = policy else {
        return Err(Unread { what: format!("the security policy of {name}"), error: None });
    };
    match api_refuses_old(policy) {
        Some(true) => Ok(Verdict::pass(format!("{policy} refuses what is older than TLS 1.2"))),
        Some(false) => Ok(Verdict::fail(format!("{policy} lets clients speak TLS 1.0"))),
        None => Err(Unread {
            what: format!("what the security policy {policy} lets clients speak"),
            error: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::operation::get_domain_names::GetDomainNamesOutput;
    use aws_sdk_apigateway::types::{DomainName, SecurityPolicy};
    use aws_sdk_apigatewayv2::types::{ConnectionType, IntegrationType, ProtocolType, TlsConfig};
    use aws_smithy_mocks::mock;

    use super::CONTROL;
    use crate::finding::Status;
    use crate::testing::apigateway::{http_api, integration, method, rest_api};
    use crate::testing::{denied, judged, only};

    #[tokio::test]
    async fn the_backend_is_asked_over_https() {
        let mut rules = rest_api(|it| it);
        rules.push(method("/students", "GET", |it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);

        let mut rules = rest_api(|it| it);
        rules.push(method("/students", "GET", |it| {
            it.method_integration(integration("http://internal.example.edu/students"))
        }));
        let found = judged(&CONTROL, &rules).await;
        let (status, message) = only(&found);
        assert_eq!(status, Status::Fail, "the seed's integration");
        assert!(message.contains("GET /students"), "{message}");
    }

    #[tokio::test]
    async fn the_endpoint_refuses_old_tls() {
        let mut rules = rest_api(|it| it.security_policy(SecurityPolicy::Tls10));
        rules.push(method("/students", "GET", |it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
        let mut rules = rest_api(|it| it.set_security_policy(None));
        rules.push(method("/students", "GET", |it| it));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown, "AWS does not say");
        let name = mock!(aws_sdk_apigateway::Client::get_domain_names).then_output(|| {
            let one = DomainName::builder().domain_name("api.example.edu");
            let one = one.security_policy(SecurityPolicy::Tls10).build();
            GetDomainNamesOutput::builder().items(one).build()
        });
        assert_eq!(only(&judged(&CONTROL, &[name]).await).0, Status::Fail);
    }

    #[tokio::test]
    async fn an_http_api_needs_a_name_to_verify_behind_a_link() {
        let rules = http_api(
            ProtocolType::Http,
            |it| it,
            |it| {
                it.integration_type(IntegrationType::HttpProxy)
                    .connection_type(ConnectionType::VpcLink)
                    .integration_uri("arn:aws:elasticloadbalancing:us-east-1:1:listener/app/a/1/2")
            },
            |it| it,
        );
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Fail);
        let rules = http_api(
            ProtocolType::Http,
            |it| it,
            |it| {
                let tls = TlsConfig::builder().server_name_to_verify("internal.example.edu");
                it.integration_type(IntegrationType::HttpProxy)
                    .connection_type(ConnectionType::VpcLink)
                    .tls_config(tls.build())
            },
            |it| it,
        );
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Pass);
    }

    #[tokio::test]
    async fn methods_that_cannot_be_read_are_unknown() {
        let mut rules = rest_api(|it| it);
        rules.push(denied!(aws_sdk_apigateway, get_resources, GetResourcesError));
        assert_eq!(only(&judged(&CONTROL, &rules).await).0, Status::Unknown);
    }
}
