//! Runs one of gRPC's interop cases on tonic against a server; ends with 0 if all it asserts holds.
//! `client --server_host=HOST --server_port=PORT --test_case=NAME`

use std::fmt::Debug;
use std::time::Duration;

use framewright_rust_peers::testing::test_service_client::TestServiceClient;
use framewright_rust_peers::testing::unimplemented_service_client::UnimplementedServiceClient;
use framewright_rust_peers::testing::*;
use framewright_rust_peers::{ECHO_INITIAL, ECHO_TRAILING, flag, payload};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{AsciiMetadataValue, BinaryMetadataValue, MetadataMap};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, IntoRequest, Request, Status};

type Client = TestServiceClient<Channel>;
type Outcome = Result<(), Box<dyn std::error::Error>>;

const REQUEST_SIZES: [usize; 4] = [27_182, 8, 1828, 45_904];
const RESPONSE_SIZES: [usize; 4] = [31_415, 9, 2653, 58_979];
const LARGE_REQUEST: usize = 271_828;
const LARGE_RESPONSE: usize = 314_159;
const INITIAL_VALUE: &str = "test_initial_metadata_value";
const TRAILING_VALUE: &[u8] = b"\xab\xab\xab";
const STATUS_MESSAGE: &str = "test status message";
const TIMER_MESSAGE: &str = "Timeout expired";
const SPECIAL_MESSAGE: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

// What the cases send.

fn large_request() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE_RESPONSE as i32,
        payload: Some(payload(LARGE_REQUEST)),
        ..Default::default()
    }
}

fn output_request(request: usize, responses: &[usize]) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        payload: Some(payload(request)),
        response_parameters: responses.iter().map(response_of).collect(),
        ..Default::default()
    }
}

fn response_of(size: &usize) -> ResponseParameters {
    ResponseParameters {
        size: *size as i32,
        ..Default::default()
    }
}

fn echo_status(message: &str) -> Option<EchoStatus> {
    Some(EchoStatus {
        code: Code::Unknown as i32,
        message: message.to_owned(),
    })
}

/// A stream of requests that stays open as long as its sender.
fn open_requests<T>() -> (mpsc::Sender<T>, ReceiverStream<T>) {
    let (sender, receiver) = mpsc::channel(4);
    (sender, ReceiverStream::new(receiver))
}

// What the cases assert.

fn expect_equal<T: PartialEq + Debug>(got: T, want: T, what: &str) -> Outcome {
    if got == want {
        return Ok(());
    }
    Err(format!("{what}: got {got:?}, want {want:?}").into())
}

fn expect_payload(got: Option<Payload>, size: usize) -> Outcome {
    let got = got.ok_or("payload: got none")?;
    expect_equal(
        got.r#type(),
        PayloadType::Compressable,
        "type of the payload",
    )?;
    expect_equal(got.body.len(), size, "size of the payload")?;
    expect_equal(got.body.iter().all(|octet| *octet == 0), true, "zeros")
}

fn expect_status<T: Debug>(got: Result<T, Status>, code: Code, message: Option<&str>) -> Outcome {
    let status = got.err().ok_or("got no error")?;
    expect_equal(status.code(), code, &format!("status ({status})"))?;
    match message {
        Some(message) => expect_equal(status.message(), message, "status message"),
        None => Ok(()),
    }
}

/// Metadata that the server sends back: text with the headers, octets with the trailers.
fn echoed<T>(mut request: Request<T>) -> Request<T> {
    let metadata = request.metadata_mut();
    metadata.insert(ECHO_INITIAL, AsciiMetadataValue::from_static(INITIAL_VALUE));
    metadata.insert_bin(
        ECHO_TRAILING,
        BinaryMetadataValue::from_bytes(TRAILING_VALUE),
    );
    request
}

fn expect_initial(headers: &MetadataMap) -> Outcome {
    let value = headers.get(ECHO_INITIAL).ok_or("no initial metadata")?;
    expect_equal(value.to_str()?, INITIAL_VALUE, ECHO_INITIAL)
}

fn expect_trailing(trailers: &MetadataMap) -> Outcome {
    let value = trailers
        .get_bin(ECHO_TRAILING)
        .ok_or("no trailing metadata")?;
    expect_equal(&value.to_bytes()?[..], TRAILING_VALUE, ECHO_TRAILING)
}

// The cases.

async fn empty_unary(mut client: Client) -> Outcome {
    let response = client.empty_call(Empty {}).await?;
    expect_equal(response.into_inner(), Empty {}, "response")
}

async fn large_unary(mut client: Client) -> Outcome {
    let response = client.unary_call(large_request()).await?;
    expect_payload(response.into_inner().payload, LARGE_RESPONSE)
}

async fn client_streaming(mut client: Client) -> Outcome {
    let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest {
        payload: Some(payload(size)),
        ..Default::default()
    });
    let response = client
        .streaming_input_call(tokio_stream::iter(requests))
        .await?;
    let sum: usize = REQUEST_SIZES.iter().sum();
    expect_equal(
        response.into_inner().aggregated_payload_size,
        sum as i32,
        "aggregated size",
    )
}

async fn server_streaming(mut client: Client) -> Outcome {
    let request = output_request(0, &RESPONSE_SIZES);
    let mut responses = client.streaming_output_call(request).await?.into_inner();
    for size in RESPONSE_SIZES {
        let response = responses.message().await?.ok_or("too few responses")?;
        expect_payload(response.payload, size)?;
    }
    expect_equal(responses.message().await?, None, "after the last response")
}

async fn ping_pong(mut client: Client) -> Outcome {
    let (sender, requests) = open_requests();
    let exchange = [0, 1, 2, 3].map(|i| (REQUEST_SIZES[i], RESPONSE_SIZES[i]));
    // The call resolves with the headers, which a server may hold back until there is a response.
    sender
        .send(output_request(exchange[0].0, &[exchange[0].1]))
        .await?;
    let mut responses = client.full_duplex_call(requests).await?.into_inner();
    for (i, (_, size)) in exchange.into_iter().enumerate() {
        let response = responses.message().await?.ok_or("too few responses")?;
        expect_payload(response.payload, size)?;
        if let Some((request, response)) = exchange.get(i + 1) {
            sender.send(output_request(*request, &[*response])).await?;
        }
    }
    drop(sender);
    expect_equal(responses.message().await?, None, "after the last response")
}

async fn empty_stream(mut client: Client) -> Outcome {
    let mut responses = client
        .full_duplex_call(tokio_stream::empty())
        .await?
        .into_inner();
    expect_equal(responses.message().await?, None, "responses")
}

/// Who is first ends the call: the server by its status, or the timer of tonic by one of its own.
async fn timeout_on_sleeping_server(mut client: Client) -> Outcome {
    let (sender, requests) = open_requests();
    sender.send(output_request(27_182, &[])).await?;
    let mut request = requests.into_request();
    request.set_timeout(Duration::from_millis(1));
    let result = match client.full_duplex_call(request).await {
        Ok(response) => response.into_inner().message().await.map(|_| ()),
        Err(status) => Err(status),
    };
    match &result {
        Err(status) if status.message() == TIMER_MESSAGE => {
            expect_status(result, Code::Cancelled, None)
        }
        _ => expect_status(result, Code::DeadlineExceeded, None),
    }
}

// A call is cancelled by dropping it, so there is no status to assert; but the connection still serves.

async fn cancel_after_begin(mut client: Client) -> Outcome {
    let (_sender, requests) = open_requests();
    let call = client.streaming_input_call(requests);
    if timeout(Duration::from_millis(50), call).await.is_ok() {
        return Err("got a response before the end of the requests".into());
    }
    empty_unary(client).await
}

async fn cancel_after_first_response(mut client: Client) -> Outcome {
    let (sender, requests) = open_requests();
    sender
        .send(output_request(REQUEST_SIZES[0], &[RESPONSE_SIZES[0]]))
        .await?;
    let mut responses = client.full_duplex_call(requests).await?.into_inner();
    let first = responses.message().await?.ok_or("no response")?;
    expect_payload(first.payload, RESPONSE_SIZES[0])?;
    drop(responses);
    empty_unary(client).await
}

async fn status_code_and_message(mut client: Client) -> Outcome {
    let request = SimpleRequest {
        response_status: echo_status(STATUS_MESSAGE),
        ..Default::default()
    };
    let result = client.unary_call(request).await;
    expect_status(result, Code::Unknown, Some(STATUS_MESSAGE))?;

    let request = StreamingOutputCallRequest {
        response_status: echo_status(STATUS_MESSAGE),
        ..Default::default()
    };
    let result = match client.full_duplex_call(tokio_stream::once(request)).await {
        Ok(response) => response.into_inner().message().await,
        Err(status) => Err(status),
    };
    expect_status(result, Code::Unknown, Some(STATUS_MESSAGE))
}

async fn special_status_message(mut client: Client) -> Outcome {
    let request = SimpleRequest {
        response_status: echo_status(SPECIAL_MESSAGE),
        ..Default::default()
    };
    let result = client.unary_call(request).await;
    expect_status(result, Code::Unknown, Some(SPECIAL_MESSAGE))
}

async fn custom_metadata(mut client: Client) -> Outcome {
    // The metadata of a unary response holds its headers and its trailers.
    let response = client
        .unary_call(echoed(large_request().into_request()))
        .await?;
    expect_initial(response.metadata())?;
    expect_trailing(response.metadata())?;
    expect_payload(response.into_inner().payload, LARGE_RESPONSE)?;

    let requests = tokio_stream::once(output_request(LARGE_REQUEST, &[LARGE_RESPONSE]));
    let response = client
        .full_duplex_call(echoed(requests.into_request()))
        .await?;
    expect_initial(response.metadata())?;
    let mut responses = response.into_inner();
    let first = responses.message().await?.ok_or("no response")?;
    expect_payload(first.payload, LARGE_RESPONSE)?;
    expect_equal(responses.message().await?, None, "after the response")?;
    expect_trailing(&responses.trailers().await?.ok_or("no trailers")?)
}

async fn unimplemented_method(mut client: Client) -> Outcome {
    let result = client.unimplemented_call(Empty {}).await;
    expect_status(result, Code::Unimplemented, None)
}

async fn unimplemented_service(channel: Channel) -> Outcome {
    let result = UnimplementedServiceClient::new(channel)
        .unimplemented_call(Empty {})
        .await;
    expect_status(result, Code::Unimplemented, None)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let host = flag("server_host").ok_or("--server_host is missing")?;
    let port = flag("server_port").ok_or("--server_port is missing")?;
    let endpoint = Endpoint::from_shared(format!("http://{host}:{port}"))?;
    let channel = endpoint.connect().await?;
    let client = Client::new(channel.clone());
    match flag("test_case").as_deref().unwrap_or("large_unary") {
        "empty_unary" => empty_unary(client).await,
        "large_unary" => large_unary(client).await,
        "client_streaming" => client_streaming(client).await,
        "server_streaming" => server_streaming(client).await,
        "ping_pong" => ping_pong(client).await,
        "empty_stream" => empty_stream(client).await,
        "timeout_on_sleeping_server" => timeout_on_sleeping_server(client).await,
        "cancel_after_begin" => cancel_after_begin(client).await,
        "cancel_after_first_response" => cancel_after_first_response(client).await,
        "status_code_and_message" => status_code_and_message(client).await,
        "special_status_message" => special_status_message(client).await,
        "custom_metadata" => custom_metadata(client).await,
        "unimplemented_method" => unimplemented_method(client).await,
        "unimplemented_service" => unimplemented_service(channel).await,
        other => Err(format!("{other} is no test case").into()),
    }
}
