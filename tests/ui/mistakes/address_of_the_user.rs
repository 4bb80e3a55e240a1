use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "readings.{room}")]
pub struct Reading {
    room: u32,
    celsius: f64,
}

impl Reading {
    pub fn at(room: u32, celsius: f64) -> Self {
        Self { room, celsius }
    }
}

#[derive(PushMessage)]
#[push(channel = "readings", at = address)]
pub struct Total(f64);

impl Total {
    pub fn address_any(&self) -> f64 {
        self.0
    }
}

fn main() {}
