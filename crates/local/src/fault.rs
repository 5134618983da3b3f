//! Errors as AWS words them, in each of its protocols.

use serde_json::json;
use winterbaume_core::{MockResponse, xml_escape};

/// An error answer: the code and message that AWS would give.
#[derive(Debug, Clone)]
pub struct Fault {
    /// AWS's error code.
    pub code: String,
    /// AWS's message.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// EC2's own form of the query protocol.
    Ec2,
    /// Form-encoded requests, XML answers: RDS, IAM, STS, SNS, ELB, ElastiCache.
    Query,
    /// JSON bodies, the operation in `X-Amz-Target`.
    Json,
    /// JSON bodies, the operation in method and path.
    RestJson,
    /// XML bodies, the operation in method and path: S3.
    RestXml,
    /// CBOR bodies, the operation in the path: CloudWatch.
    Cbor,
}

impl Fault {
    /// The caller's mistake (status 400).
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 400 }
    }

    /// With another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// An operation that this plane does not have.
    pub fn unknown_operation(service: &str, operation: &str) -> Self {
        Self::new(
            "UnknownOperationException",
            format!("the embedded control plane has no {service} {operation}"),
        )
        .status(501)
    }

    /// As an HTTP answer.
    pub fn response(&self, protocol: Protocol) -> MockResponse {
        let (code, message) = (xml_escape(&self.code), xml_escape(&self.message));
        match protocol {
            Protocol::Ec2 => MockResponse::xml(
                self.status,
                format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>embedded</RequestID></Response>"
                ),
            ),
            Protocol::Query => MockResponse::xml(
                self.status,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>embedded</RequestId></ErrorResponse>"
                ),
            ),
            Protocol::RestXml => MockResponse::xml(
                self.status,
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message><RequestId>embedded</RequestId></Error>"
                ),
            ),
            Protocol::Json => {
                let body =
                    json!({"__type": self.code, "message": self.message, "Message": self.message});
                MockResponse::json(self.status, body.to_string())
            }
            Protocol::RestJson => {
                let body = json!({"message": self.message, "Message": self.message});
                let mut response = MockResponse::rest_json(self.status, body.to_string());
                if let Ok(code) = self.code.parse() {
                    response.headers.insert("x-amzn-errortype", code);
                }
                response
            }
            Protocol::Cbor => {
                let body = ciborium::Value::Map(vec![
                    ("__type".into(), self.code.clone().into()),
                    ("message".into(), self.message.clone().into()),
                ]);
                let mut bytes = Vec::new();
                // Writing to a Vec does not fail.
                let _ = ciborium::into_writer(&body, &mut bytes);
                MockResponse::cbor(self.status, bytes)
            }
        }
    }
}

/// The wire parsers report malformed requests as text.
impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::new("SerializationException", message)
    }
}
