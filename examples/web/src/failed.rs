use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use redis_push::BoxError;

/// An error as a response: the server is away, and the page says so.
#[derive(Debug)]
pub struct Failed(BoxError);

impl<E: Into<BoxError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, self.0.to_string()).into_response()
    }
}
