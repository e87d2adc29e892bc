//! Tasks that are out: what a worker says of them by their tokens, and the tags of resources.

use engine::{Event, Rejected, TaskId};
use store::{ExecutionId, Expect};

use crate::arn::StatesArn;
use crate::owner::Failed;
use crate::refusal::Refusal;
use crate::service::Service;

impl Service {
    /// SendTaskSuccess.
    ///
    /// # Errors
    /// The token, or an output that is not JSON.
    pub async fn send_task_success(&self, token: &str, output: String) -> Result<(), Refusal> {
        let (execution, task) = self.open_token(token)?;
        if let Err(error) = asl::json::Json::parse(&output) {
            return Err(Refusal::InvalidOutput(error.message().to_owned()));
        }
        self.tell(execution, Event::TaskSucceeded { task, output: output.into() }).await
    }

    /// SendTaskFailure.
    ///
    /// # Errors
    /// The token.
    pub async fn send_task_failure(
        &self,
        token: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<(), Refusal> {
        let (execution, task) = self.open_token(token)?;
        let event = Event::TaskFailed { task, error: error.map(Into::into), cause: cause.map(Into::into) };
        self.tell(execution, event).await
    }

    /// SendTaskHeartbeat.
    ///
    /// # Errors
    /// The token.
    pub async fn send_task_heartbeat(&self, token: &str) -> Result<(), Refusal> {
        let (execution, task) = self.open_token(token)?;
        self.tell(execution, Event::Heartbeat(task)).await
    }

    fn open_token(&self, token: &str) -> Result<(ExecutionId, TaskId), Refusal> {
        self.shared().tokens.open(token).ok_or(Refusal::InvalidToken)
    }

    async fn tell(&self, execution: ExecutionId, event: Event) -> Result<(), Refusal> {
        match self.shared().deliver(execution, event).await {
            Ok(_) => Ok(()),
            Err(Failed::Rejected(
                Rejected::TaskClosed
                | Rejected::Ended
                | Rejected::TaskElsewhere
                | Rejected::TimerCleared
                | Rejected::Started
                | Rejected::NotRedrivable(_)
                | Rejected::RedrivenBefore(_),
            )) => Err(Refusal::TaskTimedOut),
            Err(Failed::Absent | Failed::NameTaken) => Err(Refusal::TaskDoesNotExist),
            Err(failed) => Err(failed.into_refusal()),
        }
    }

    /// TagResource: sets these tags of a machine or an activity.
    ///
    /// # Errors
    /// No such resource.
    pub async fn tag_resource(&self, arn: &str, tags: Vec<(String, String)>) -> Result<(), Refusal> {
        self.change_tags(arn, |there| {
            for (key, value) in &tags {
                match there.iter_mut().find(|(known, _)| known == key) {
                    Some((_, old)) => old.clone_from(value),
                    None => there.push((key.clone(), value.clone())),
                }
            }
        })
        .await
    }

    /// UntagResource: removes the tags with these keys.
    ///
    /// # Errors
    /// No such resource.
    pub async fn untag_resource(&self, arn: &str, keys: &[String]) -> Result<(), Refusal> {
        self.change_tags(arn, |there| there.retain(|(key, _)| !keys.contains(key))).await
    }

    /// ListTagsForResource.
    ///
    /// # Errors
    /// No such resource.
    pub async fn tags_of(&self, arn: &str) -> Result<Vec<(String, String)>, Refusal> {
        match StatesArn::parse(arn, &["stateMachine", "activity"])?.kind {
            "activity" => Ok(self.shared().activities.record(arn).await?.0.tags),
            _ => Ok(self.shared().machines.record(arn).await?.0.tags),
        }
    }

    async fn change_tags(
        &self,
        arn: &str,
        change: impl Fn(&mut Vec<(String, String)>),
    ) -> Result<(), Refusal> {
        let kind = StatesArn::parse(arn, &["stateMachine", "activity"])?.kind;
        loop {
            let stored = if kind == "activity" {
                let (mut record, version) = self.shared().activities.record(arn).await?;
                change(&mut record.tags);
                self.shared().activities.put(&record, Expect::Version(version)).await?
            } else {
                let (mut record, version) = self.shared().machines.record(arn).await?;
                change(&mut record.tags);
                self.shared().machines.put(&record, Expect::Version(version)).await?
            };
            if stored {
                return Ok(());
            }
        }
    }
}
