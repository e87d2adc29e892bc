//! Aliases: names for one version of a machine, or for two between which each start chooses by weight.
//!
//! The choice is a pure function of the routing and a number from outside ([`pick`]). An alias's versions are there: a
//! version that an alias names cannot be deleted, because both are changed under the machines' lock.

use serde::{Deserialize, Serialize};
use store::{Expect, PutOutcome};

use crate::arn::StatesArn;
use crate::clock::now_ms;
use crate::machine::{Machines, decode, encode};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::version::version_number;

/// The kind of the catalogue's alias rows; the key is the machine's name and the alias's.
const ALIASES: &str = "machine-alias";
/// What the weights of an alias make together.
const WEIGHTS_SUM: u32 = 100;

/// Where an alias sends a share of the executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The number of the version.
    pub version: u32,
    /// Its share in percent.
    pub weight: u32,
}

/// One alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasRecord {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its machine's name.
    pub machine_name: String,
    /// What its maker said.
    pub description: Option<String>,
    /// One version, or two; their weights make 100.
    pub routing: Vec<Route>,
    /// When it was created, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since the epoch.
    pub updated_ms: i64,
}

/// A share as a request gives it: a version's ARN and a weight.
pub type AskedRoute = (String, i64);

impl Service {
    /// CreateStateMachineAlias.
    ///
    /// # Errors
    /// The routing, another alias of the name, or too many of them.
    pub async fn create_alias(
        &self,
        name: &str,
        description: Option<String>,
        routing: &[AskedRoute],
    ) -> Result<AliasRecord, Refusal> {
        self.shared().machines.create_alias(name, description, routing, now_ms()).await
    }

    /// UpdateStateMachineAlias; what is absent stays.
    ///
    /// # Errors
    /// No such alias, or the routing.
    pub async fn update_alias(
        &self,
        arn: &str,
        description: Option<String>,
        routing: Option<&[AskedRoute]>,
    ) -> Result<AliasRecord, Refusal> {
        self.shared().machines.update_alias(arn, description, routing, now_ms()).await
    }

    /// DescribeStateMachineAlias.
    ///
    /// # Errors
    /// No such alias.
    pub async fn describe_alias(&self, arn: &str) -> Result<AliasRecord, Refusal> {
        self.shared().machines.described_alias(arn).await
    }

    /// DeleteStateMachineAlias; an absent one is deleted already.
    ///
    /// # Errors
    /// The ARN.
    pub async fn delete_alias(&self, arn: &str) -> Result<(), Refusal> {
        self.shared().machines.delete_alias(arn).await
    }

    /// ListStateMachineAliases of a machine or of one of its versions: a page behind a place, and the place to go on after.
    ///
    /// # Errors
    /// No such machine or version.
    pub async fn list_aliases(
        &self,
        arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AliasRecord>, Option<String>), Refusal> {
        self.shared().machines.list_aliases(arn, after, limit).await
    }
}

impl Machines {
    /// CreateStateMachineAlias; again with the same description and routing it changes nothing.
    pub(crate) async fn create_alias(
        &self,
        name: &str,
        description: Option<String>,
        routing: &[AskedRoute],
        now_ms: i64,
    ) -> Result<AliasRecord, Refusal> {
        let (machine_name, routing) = self.routing(routing)?;
        let _changing = self.changing.lock().await;
        // A routing to versions of a machine that is not there is one to versions that are not there.
        let machine_arn = self.place.machine(&machine_name);
        self.changeable(&machine_arn).await.map_err(|refusal| match refusal {
            Refusal::StateMachineDoesNotExist(arn) => Refusal::ResourceNotFound(arn),
            other => other,
        })?;
        self.check_versions(&machine_name, &routing).await?;
        let arn = self.place.qualified(&machine_name, name);
        if let Some((there, _)) = self.alias(&machine_name, name).await? {
            if there.description == description && there.routing == routing {
                return Ok(there);
            }
            return Err(Refusal::Conflict(
                "Failed to create alias because an alias with the same name and a different routing configuration \
                 already exists."
                    .into(),
            ));
        }
        let max = self.quotas.aliases_max;
        if self.aliases_of(&machine_name).await?.len() >= max {
            return Err(Refusal::ServiceQuotaExceeded(format!(
                "The maximum number of aliases of a state machine is {max}: {machine_arn}"
            )));
        }
        let name = name.to_owned();
        let (created_ms, updated_ms) = (now_ms, now_ms);
        let alias = AliasRecord { arn, name, machine_name, description, routing, created_ms, updated_ms };
        if self.put_alias(&alias, Expect::Absent).await? { Ok(alias) } else { Err(changed(&alias.arn)) }
    }

    /// UpdateStateMachineAlias; what is absent stays.
    pub(crate) async fn update_alias(
        &self,
        arn: &str,
        description: Option<String>,
        routing: Option<&[AskedRoute]>,
        now_ms: i64,
    ) -> Result<AliasRecord, Refusal> {
        let (machine_name, name) = alias_arn(arn)?;
        let routing = routing.map(|routing| self.routing(routing)).transpose()?;
        let _changing = self.changing.lock().await;
        let found = self.alias(&machine_name, &name).await?.filter(|(there, _)| there.arn == arn);
        let (mut alias, row) = found.ok_or_else(|| Refusal::ResourceNotFound(arn.into()))?;
        self.changeable(&self.place.machine(&machine_name)).await?;
        if let Some((of, routing)) = routing {
            if of != machine_name {
                return Err(Refusal::Validation(format!(
                    "Routing configuration must contain versions of the state machine of the alias {arn}"
                )));
            }
            self.check_versions(&machine_name, &routing).await?;
            alias.routing = routing;
        }
        alias.description = description.or(alias.description);
        alias.updated_ms = now_ms;
        if self.put_alias(&alias, Expect::Version(row)).await? { Ok(alias) } else { Err(changed(arn)) }
    }

    /// DeleteStateMachineAlias. One that is not there is deleted already (recorded).
    pub(crate) async fn delete_alias(&self, arn: &str) -> Result<(), Refusal> {
        let (machine_name, name) = alias_arn(arn)?;
        let _changing = self.changing.lock().await;
        if self.alias(&machine_name, &name).await?.is_some_and(|(there, _)| there.arn == arn) {
            self.catalogue.delete(ALIASES, &alias_key(&machine_name, &name), None).await?;
        }
        Ok(())
    }

    /// DescribeStateMachineAlias.
    pub(crate) async fn described_alias(&self, arn: &str) -> Result<AliasRecord, Refusal> {
        let (machine_name, name) = alias_arn(arn)?;
        let found = self.alias(&machine_name, &name).await?.filter(|(there, _)| there.arn == arn);
        found.map(|(alias, _)| alias).ok_or_else(|| Refusal::ResourceNotFound(arn.into()))
    }

    /// ListStateMachineAliases of a machine, or of one of its versions, by their age (recorded); the place to go on after.
    pub(crate) async fn list_aliases(
        &self,
        arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AliasRecord>, Option<String>), Refusal> {
        let revision = self.revision(arn).await?;
        let mut aliases = self.aliases_of(&revision.name).await?;
        aliases.sort_by_key(position);
        aliases.retain(|alias| after.is_none_or(|after| position(alias).as_str() > after));
        if let Some(number) = revision.version {
            aliases.retain(|alias| alias.routing.iter().any(|route| route.version == number));
        }
        let more = aliases.len() > limit;
        aliases.truncate(limit);
        let next = aliases.last().filter(|_| more).map(position);
        Ok((aliases, next))
    }

    /// An alias, and the version of its row.
    pub(crate) async fn alias(
        &self,
        machine_name: &str,
        name: &str,
    ) -> Result<Option<(AliasRecord, u64)>, Refusal> {
        match self.catalogue.get(ALIASES, &alias_key(machine_name, name)).await? {
            Some(row) => Ok(Some((decode(&row.body)?, row.version))),
            None => Ok(None),
        }
    }

    /// All aliases of a machine, by name: there are few.
    pub(crate) async fn aliases_of(&self, machine_name: &str) -> Result<Vec<AliasRecord>, Refusal> {
        self.rows_of(ALIASES, machine_name, None, usize::MAX).await
    }

    /// Removes all aliases of a machine that is being deleted.
    pub(crate) async fn remove_aliases(&self, machine_name: &str) -> Result<(), Refusal> {
        for alias in self.aliases_of(machine_name).await? {
            self.catalogue.delete(ALIASES, &alias_key(machine_name, &alias.name), None).await?;
        }
        Ok(())
    }

    async fn put_alias(&self, alias: &AliasRecord, expect: Expect) -> Result<bool, Refusal> {
        let key = alias_key(&alias.machine_name, &alias.name);
        let put = self.catalogue.put(ALIASES, &key, expect, encode(alias)).await?;
        Ok(matches!(put, PutOutcome::Stored { .. }))
    }

    /// Holds a routing against AWS's rules (asl-facts 4, recorded); the machine's name, and the routes by version.
    fn routing(&self, asked: &[AskedRoute]) -> Result<(String, Vec<Route>), Refusal> {
        let arns = || asked.iter().map(|(arn, _)| arn.as_str()).collect::<Vec<_>>().join(", ");
        let mut machine_name: Option<String> = None;
        let mut routes = Vec::new();
        for (arn, weight) in asked {
            let parsed = StatesArn::parse(arn, &["stateMachine"]).ok();
            let version = parsed.and_then(|parsed| match parsed.parts[..] {
                [name, number] => Some((name.to_owned(), version_number(number)?)),
                _ => None,
            });
            let Some((name, version)) = version else {
                return Err(Refusal::InvalidRouting(format!(
                    "Routing configuration must contain state machine version ARNs. Received: [{}]",
                    arns()
                )));
            };
            if *arn != self.place.qualified(&name, &version.to_string()) {
                return Err(Refusal::ResourceNotFound(arn.clone()));
            }
            if machine_name.get_or_insert_with(|| name.clone()) != &name {
                return Err(Refusal::InvalidRouting(format!(
                    "Routing configuration must contain versions of the same state machine. Received: [{}]",
                    arns()
                )));
            }
            routes.push(Route { version, weight: u32::try_from(*weight).unwrap_or(u32::MAX) });
        }
        routes.sort_unstable();
        if routes.windows(2).any(|pair| pair[0].version == pair[1].version) {
            return Err(Refusal::InvalidRouting(format!(
                "Routing configuration must contain distinct state machine version ARNs. Received: [{}]",
                arns()
            )));
        }
        let sum = routes.iter().map(|route| u64::from(route.weight)).sum::<u64>();
        if sum != u64::from(WEIGHTS_SUM) {
            let weights: Vec<String> = asked.iter().map(|(_, weight)| weight.to_string()).collect();
            return Err(Refusal::InvalidRouting(format!(
                "Sum of routing configuration weights must equal {WEIGHTS_SUM}. Received: [{}]",
                weights.join(", ")
            )));
        }
        let machine_name = machine_name.ok_or_else(|| {
            Refusal::InvalidRouting("Routing configuration must contain at least one version".into())
        })?;
        Ok((machine_name, routes))
    }

    async fn check_versions(&self, machine_name: &str, routing: &[Route]) -> Result<(), Refusal> {
        for route in routing {
            if self.version(machine_name, route.version).await?.is_none() {
                let arn = self.place.qualified(machine_name, &route.version.to_string());
                return Err(Refusal::ResourceNotFound(arn));
            }
        }
        Ok(())
    }
}

/// The version that a start goes to: each with the probability of its weight, if `chance` is evenly spread.
pub(crate) fn pick(routing: &[Route], chance: u64) -> Option<u32> {
    let mut point = (chance % u64::from(WEIGHTS_SUM)) as u32;
    for route in routing {
        match point.checked_sub(route.weight) {
            None => return Some(route.version),
            Some(rest) => point = rest,
        }
    }
    None
}

/// Where an alias stands in the list of its machine's aliases.
fn position(alias: &AliasRecord) -> String {
    format!("{:020}:{}", alias.created_ms, alias.name)
}

fn alias_key(machine_name: &str, name: &str) -> String {
    format!("{machine_name}:{name}")
}

/// The machine's name and the alias's in an alias's ARN.
fn alias_arn(arn: &str) -> Result<(String, String), Refusal> {
    let parsed = StatesArn::parse(arn, &["stateMachine"])?;
    match parsed.parts[..] {
        [machine, name] if version_number(name).is_none() => Ok((machine.to_owned(), name.to_owned())),
        _ => Err(Refusal::InvalidArn(format!("Invalid ARN: {arn}"))),
    }
}

fn changed(arn: &str) -> Refusal {
    Refusal::Conflict(format!("{arn} was changed by another request; try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_gets_its_share() {
        let share = |routing: &[Route], version| {
            (0..100).filter(|chance| pick(routing, *chance) == Some(version)).count()
        };
        let one = [Route { version: 3, weight: 100 }];
        assert_eq!(share(&one, 3), 100);
        let two = [Route { version: 1, weight: 30 }, Route { version: 2, weight: 70 }];
        assert_eq!((share(&two, 1), share(&two, 2)), (30, 70));
        let all_or_nothing = [Route { version: 1, weight: 0 }, Route { version: 2, weight: 100 }];
        assert_eq!((share(&all_or_nothing, 1), share(&all_or_nothing, 2)), (0, 100));
        assert_eq!(pick(&two, 129), pick(&two, 29), "only the remainder counts");
    }

    #[test]
    fn the_list_begins_with_the_oldest() {
        let alias = |name: &str, created_ms| AliasRecord {
            arn: String::new(),
            name: name.into(),
            machine_name: String::new(),
            description: None,
            routing: Vec::new(),
            created_ms,
            updated_ms: 0,
        };
        let listed = [alias("z", 9), alias("b", 10), alias("c", 10), alias("a", 1_767_225_600_000)];
        assert!(listed.iter().map(position).is_sorted());
    }
}
