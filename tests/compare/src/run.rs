//! One run: a source and a client, each in its own process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::client::{self, Outcome};
use crate::job::{Job, Source};
use crate::many::Trial;
use crate::process::Process;
use crate::server::Server;
use crate::{Result, canned, coming, publisher, resp};

const READY: Duration = Duration::from_secs(60);
const DONE: Duration = Duration::from_secs(300);

pub(crate) struct Runner {
    pub(crate) server: PathBuf,
    /// This program.
    pub(crate) program: Vec<OsString>,
    /// The program that runs clients: this one, the one that counts allocations, or this one under
    /// valgrind.
    pub(crate) client: Vec<OsString>,
}

impl Runner {
    pub(crate) fn new(server: PathBuf) -> Result<Self> {
        let program = vec![std::env::current_exe()?.into_os_string()];
        Ok(Self {
            server,
            client: program.clone(),
            program,
        })
    }

    /// Returns a runner with another program that runs clients.
    pub(crate) fn with_client(&self, client: Vec<OsString>) -> Self {
        Self {
            server: self.server.clone(),
            program: self.program.clone(),
            client,
        }
    }

    pub(crate) fn run(&self, job: &Job) -> Result<Outcome> {
        match job.source {
            Source::Real => self.real(job),
            Source::Canned => self.canned(job),
        }
    }

    /// Runs a client whose readers come and go.
    pub(crate) fn visits(&self, job: &Job) -> Result<coming::Outcome> {
        let (_server, mut client) = self.subscribed(job)?;
        client.say("go")?;
        outcome(client)
    }

    /// Starts a client with many readers of one channel.
    pub(crate) fn crowd(&self, job: &Job) -> Result<Crowd<'_>> {
        let (server, client) = self.subscribed(job)?;
        Ok(Crowd {
            runner: self,
            server,
            client,
        })
    }

    fn real(&self, job: &Job) -> Result<Outcome> {
        let (server, client) = self.subscribed(job)?;
        let publisher = self.publisher(job, &server)?;
        let outcome = outcome(client)?;
        publisher.finish()?;
        Ok(outcome)
    }

    /// Starts a server, and a client that has subscribed to everything.
    fn subscribed(&self, job: &Job) -> Result<(Server, Process)> {
        let server = Server::start(&self.server)?;
        let client = self.client(job, server.port)?;
        let mut asking = server.connect()?;
        let channels = job.channel_names();
        let began = Instant::now();
        // A peer may report that it is subscribed before the server has handled that.
        while resp::subscribers(&mut asking, &channels)? < job.peer.subscriptions(job) {
            if began.elapsed() > READY {
                return Err("the client did not subscribe to everything".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok((server, client))
    }

    fn publisher(&self, job: &Job, server: &Server) -> Result<Process> {
        let args = [publisher::ROLE, &job.to_arg(), &server.port.to_string()];
        Process::spawn(&self.program, &args)
    }

    fn canned(&self, job: &Job) -> Result<Outcome> {
        let mut source = Process::spawn(&self.program, &[canned::ROLE, &job.to_arg()])?;
        let port = source.line(READY)?.parse()?;
        let client = self.client(job, port)?;
        source.say("go")?;
        outcome(client)
    }

    fn client(&self, job: &Job, port: u16) -> Result<Process> {
        let args = [client::ROLE, &job.to_arg(), &port.to_string()];
        let client = Process::spawn(&self.client, &args)?;
        match client.line(READY)?.as_str() {
            "ready" => Ok(client),
            other => Err(other.into()),
        }
    }
}

/// A client with many readers of one channel, and its server.
pub(crate) struct Crowd<'a> {
    runner: &'a Runner,
    server: Server,
    client: Process,
}

impl Crowd<'_> {
    /// Publishes the job's messages at its rate.
    pub(crate) fn trial(&mut self, job: &Job) -> Result<Trial> {
        self.client.say(&job.messages.to_string())?;
        match self.client.line(READY)?.as_str() {
            "begun" => {}
            other => return Err(other.into()),
        }
        let publisher = self.runner.publisher(job, &self.server)?;
        let trial = serde_json::from_str(&self.client.line(DONE)?)?;
        publisher.finish()?;
        Ok(trial)
    }
}

/// Reads the outcome, and waits for the client's end: valgrind writes the counts only then.
fn outcome<T: DeserializeOwned>(client: Process) -> Result<T> {
    let outcome = serde_json::from_str(&client.line(DONE)?)?;
    client.finish()?;
    Ok(outcome)
}
