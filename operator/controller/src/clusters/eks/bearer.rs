//! A client whose every request carries the present token.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;

use super::tokens::Tokens;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Wraps a client without credentials. A watch outlives the token that it was begun with; what begins it again has a new one.
pub(super) fn client(anonymous: Client, tokens: Arc<Tokens>) -> Client {
    let namespace = anonymous.default_namespace().to_owned();
    let service =
        tower::service_fn(move |request: Request<Body>| send(anonymous.clone(), Arc::clone(&tokens), request));
    Client::new(service, namespace)
}

async fn send(client: Client, tokens: Arc<Tokens>, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let header = tokens.header().await?;
    let again = copy(&request);
    let answer = client.send(signed(request, header.clone())).await?;
    let Some(again) = again.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) else { return Ok(answer) };
    if !tokens.refused(&header).await {
        return Ok(answer);
    }
    Ok(client.send(signed(again, tokens.header().await?)).await?)
}

fn signed(mut request: Request<Body>, header: HeaderValue) -> Request<Body> {
    request.headers_mut().insert(AUTHORIZATION, header);
    request
}

/// The same request once more; `None`: its body can be sent only once.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}
