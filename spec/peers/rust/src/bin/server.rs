//! Serves grpc.testing.TestService on tonic, as far as interop cases need it.
//! `server --port=N` prints `listening on 127.0.0.1:PORT`.

use async_stream::try_stream;
use axum::middleware::{Next, from_fn};
use framewright_rust_peers::testing::test_service_server::{TestService, TestServiceServer};
use framewright_rust_peers::testing::*;
use framewright_rust_peers::{ECHO_INITIAL, ECHO_TRAILING, flag, payload};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

struct Server;

#[tonic::async_trait]
impl TestService for Server {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let request = request.into_inner();
        fail_if_asked(request.response_status)?;
        Ok(Response::new(SimpleResponse {
            payload: Some(payload(request.response_size as usize)),
            ..Default::default()
        }))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut requests = request.into_inner();
        let mut size = 0;
        while let Some(request) = requests.message().await? {
            size += request.payload.map_or(0, |payload| payload.body.len());
        }
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size: size as i32,
        }))
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        let request = request.into_inner();
        Ok(Response::new(Box::pin(try_stream! {
            for wanted in request.response_parameters {
                yield response_to(wanted);
            }
        })))
    }

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        let mut requests = request.into_inner();
        Ok(Response::new(Box::pin(try_stream! {
            while let Some(request) = requests.message().await? {
                fail_if_asked(request.response_status)?;
                for wanted in request.response_parameters {
                    yield response_to(wanted);
                }
            }
        })))
    }
}

fn fail_if_asked(wanted: Option<EchoStatus>) -> Result<(), Status> {
    match wanted {
        Some(status) => Err(Status::new(status.code.into(), status.message)),
        None => Ok(()),
    }
}

fn response_to(wanted: ResponseParameters) -> StreamingOutputCallResponse {
    StreamingOutputCallResponse {
        payload: Some(payload(wanted.size as usize)),
    }
}

/// Echoes metadata. A layer, because handlers of tonic cannot set trailers.
async fn echo(request: axum::extract::Request, next: Next) -> axum::response::Response {
    let initial = request.headers().get(ECHO_INITIAL).cloned();
    let trailing = request.headers().get(ECHO_TRAILING).cloned();
    let mut response = next.run(request).await;
    if let Some(value) = initial {
        response.headers_mut().insert(ECHO_INITIAL, value);
    }
    response.map(|body| {
        axum::body::Body::new(body.map_frame(move |mut frame| {
            if let (Some(trailers), Some(value)) = (frame.trailers_mut(), &trailing) {
                trailers.insert(ECHO_TRAILING, value.clone());
            }
            frame
        }))
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = flag("port").unwrap_or("0".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    let routes = Routes::new(TestServiceServer::new(Server)).into_axum_router();
    tonic::transport::Server::builder()
        .add_routes(routes.layer(from_fn(echo)).into())
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}
