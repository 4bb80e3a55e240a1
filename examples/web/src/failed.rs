use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use redis_push::BoxError;

/// An error as a response: a name that no channel can have, else the server is away.
#[derive(Debug)]
pub struct Failed(BoxError);

impl<E: Into<BoxError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let error = self.0.downcast_ref::<redis_push::Error>();
        let status = match error {
            Some(error) if error.is_encode() => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, self.0.to_string()).into_response()
    }
}
